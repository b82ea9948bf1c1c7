"""The arms of a client, made from what the application said; nothing is loaded or called."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybridroute.decision import Mode
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.protocols import Arm
from hybridroute.router import serves_mode

if TYPE_CHECKING:
    from hybridroute.cloud import CloudSettings

DEFAULT_EDGE_MODEL = "smollm2-135m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """The arms there are, the cheapest first, and those that are not there, with the reason."""

    present: tuple[Arm, ...]
    absent: Mapping[str, str]

    @property
    def models(self) -> tuple[str, ...]:
        """The models' names, in the order edge, cloud."""
        return tuple(arm.model for arm in self.present)


def make_arms(
    mode: Mode, *, edge: str | Arm | None = None, cloud: CloudSettings | Arm | None = None
) -> Arms:
    """Edge and cloud, as far as the mode can ever use them.

    In ``only_on_device`` the cloud is not looked at, so that no network code is even imported.

    Raises
    ------
    ConfigError
        If an argument is not an arm, or the mode leaves none.
    """
    present: list[Arm] = []
    absent: dict[str, str] = {}
    if mode == "only_in_cloud":
        absent["edge"] = f"the mode is {mode}"
    else:
        present.append(_edge_arm(edge))
    if mode == "only_on_device":
        absent["cloud"] = f"the mode is {mode}"
    elif cloud is None:
        absent["cloud"] = "no cloud is configured"
    else:
        present.append(_cloud_arm(cloud))
    for role, arm in zip(_roles(absent), present, strict=True):
        if arm.name != role:
            raise ConfigError(f"the {role} arm is named {arm.name!r}; name it {role!r}")
    if not any(serves_mode(arm, mode) for arm in present):
        there = ", ".join(f"{arm.name} (on {arm.place})" for arm in present) or "no arm"
        missing = "; ".join(f"{name}: {why}" for name, why in absent.items())
        raise ConfigError(
            f"mode {mode!r} leaves nothing to ask: there is {there}; {missing}. Give cloud=, or "
            "choose another mode"
        )
    return Arms(present=tuple(present), absent=absent)


def _roles(absent: Mapping[str, str]) -> list[str]:
    return [role for role in ("edge", "cloud") if role not in absent]


def _edge_arm(edge: str | Arm | None) -> Arm:
    if edge is None or isinstance(edge, str):
        from hybridroute.edge_runtime.llama_arm import LlamaArm

        return LlamaArm(edge or DEFAULT_EDGE_MODEL)
    if isinstance(edge, Arm):
        return edge
    raise ConfigError(f"edge is a {type(edge).__name__}; give a model's name, a path or an Arm")


def _cloud_arm(cloud: CloudSettings | Arm) -> Arm:
    if isinstance(cloud, Arm):
        return cloud
    from hybridroute.cloud import CloudArm, CloudSettings

    if isinstance(cloud, CloudSettings):
        return CloudArm(cloud)
    raise ConfigError(f"cloud is a {type(cloud).__name__}; give CloudSettings or an Arm")
