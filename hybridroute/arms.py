"""The arms of a client, made from what the application said; nothing is loaded or called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hybridroute.decision import Mode
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.pool import Pool
from hybridroute.edge_runtime.protocols import Arm
from hybridroute.modes import serves_mode

if TYPE_CHECKING:
    from hybridroute.cloud import CloudSettings

DEFAULT_EDGE_MODEL = "smollm2-135m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arms:
    """The arms there are, the cheapest first, and those that are not there, with the reason.

    ``out_of_scope`` is the one that answers what the router cannot judge.
    """

    present: tuple[Arm, ...]
    absent: Mapping[str, str]
    out_of_scope: str

    @property
    def models(self) -> dict[str, str]:
        """The arms' names and models, the cheapest first."""
        return {arm.name: arm.model for arm in self.present}


def make_arms(
    mode: Mode,
    *,
    pool: Pool | None = None,
    edge: str | Arm | None = None,
    cloud: CloudSettings | Arm | None = None,
    arms: Sequence[Arm] | None = None,
    out_of_scope_arm: str | None = None,
) -> Arms:
    """Edge and cloud, or the arms of a bundle's pool, as far as the mode can ever use them.

    In ``only_on_device`` the cloud is not looked at, so that no network code is even imported.

    Raises
    ------
    ConfigError
        If an argument is not an arm, the arms are not the bundle's, or the mode leaves none.
    """
    if arms is not None and (edge is not None or cloud is not None):
        raise ConfigError("give arms, or edge and cloud, not both")
    if pool is None and arms is not None:
        edge, cloud = _pair(arms)
    if pool is None:
        made = _edge_and_cloud(mode, edge, cloud)
    else:
        made = _of_pool(pool, mode, [arm for arm in (edge, cloud) if arm] if arms is None else arms)
    present, absent = made
    if not any(serves_mode(arm, mode) for arm in present):
        there = ", ".join(f"{arm.name} (on {arm.place})" for arm in present) or "no arm"
        missing = "; ".join(f"{name}: {why}" for name, why in absent.items())
        lacking = _lacking(mode, by_name=pool is not None or arms is not None)
        raise ConfigError(
            f"mode {mode!r} leaves nothing to ask: there is {there}; {missing}. {lacking}, or "
            "choose another mode"
        )
    stands = "cloud" if pool is None else pool.best_single
    return Arms(present=present, absent=absent, out_of_scope=out_of_scope_arm or stands)


def _lacking(mode: Mode, *, by_name: bool) -> str:
    """What to give for a mode that leaves nothing; ``by_name`` where the arms come as a list."""
    is_cloud = mode == "only_in_cloud"
    if by_name:
        return f"Give arms= an arm that runs {'in the cloud' if is_cloud else 'on this device'}"
    return "Give cloud=" if is_cloud else "Give an edge= that runs on this device"


def _pair(arms: Sequence[Arm]) -> tuple[Arm | None, Arm | None]:
    by_name = {arm.name: arm for arm in arms}
    if len(by_name) != len(arms) or not set(by_name) <= {"edge", "cloud"}:
        raise ConfigError(
            f"the arms are named {[arm.name for arm in arms]}, and this bundle routes between two, "
            "'edge' and 'cloud'; name them so, or give a bundle of `hybridroute train --estimator`"
        )
    return by_name.get("edge"), by_name.get("cloud")


def _edge_and_cloud(
    mode: Mode, edge: str | Arm | None, cloud: CloudSettings | Arm | None
) -> tuple[tuple[Arm, ...], dict[str, str]]:
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
    roles = [role for role in ("edge", "cloud") if role not in absent]
    for role, arm in zip(roles, present, strict=True):
        if arm.name != role:
            raise ConfigError(f"the {role} arm is named {arm.name!r}; name it {role!r}")
    return tuple(present), absent


def _of_pool(
    pool: Pool, mode: Mode, given: Sequence[object]
) -> tuple[tuple[Arm, ...], dict[str, str]]:
    names = [arm.name for arm in pool.arms]
    arms: dict[str, Arm] = {}
    for arm in given:
        if not isinstance(arm, Arm):
            raise ConfigError(f"an arm of a pool is a {type(arm).__name__}; give an Arm")
        if arm.name not in names or arm.name in arms:
            what = "is given twice" if arm.name in arms else "is none of the bundle's"
            raise ConfigError(
                f"arm {arm.name!r} {what}: it routes among {', '.join(names)}. Give each at most "
                "once, under its name there"
            )
        arms[arm.name] = arm
    absent = {name: "it is not configured" for name in names if name not in arms}
    for name, arm in arms.items():
        if not serves_mode(arm, mode):
            absent[name] = f"the mode is {mode}"
    if not arms:
        raise ConfigError(f"this bundle routes among {', '.join(names)}; give them as arms=[...]")
    return tuple(arms[name] for name in names if name in arms and name not in absent), absent


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
