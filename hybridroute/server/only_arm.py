"""The one arm that answers everything, where there is one: then no setting shares anything out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hybridroute.edge_runtime.protocols import Arm, Place
from hybridroute.expectation import Expectation
from hybridroute.server.live import Serving
from hybridroute.settings import variable_of

_OF_TWO_ARMS = ("quality", "quality_drop", "quality_drop_relative", "cost_usd")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlyArm:
    """It, and why it is the only one.

    Parameters
    ----------
    name, model : str
    place : {"device", "cloud"}
    why : str
        With what to do about it; the beginning of a sentence is in lower case.
    """

    name: str
    model: str
    place: Place
    why: str


def only_arm(serving: Serving) -> OnlyArm | None:
    """The only arm that can answer as things are configured; None where there are several."""
    able = [arm for arm in serving.client.arms if arm.name not in serving.unable]
    if len(able) != 1:
        return None
    arm = able[0]
    return OnlyArm(name=arm.name, model=arm.model, place=arm.place, why=_why(serving, arm))


def _why(serving: Serving, arm: Arm) -> str:
    where = "on this device" if arm.place == "device" else "in the cloud"
    so = f"so {arm.model} answers everything {where}, wherever the dial stands"
    mode = serving.client.mode
    if serving.unable:
        return f"the other arms cannot be asked, {so}. {'. '.join(serving.unable.values())}"
    if mode.startswith("only_"):
        return f"the mode is {mode}, {so}"
    if serving.client.bundle.manifest.pool is not None:
        return f"no other arm is configured, {so}; name others with --arm or as router.arms"
    return (
        f"no cloud is configured, {so}; give --cloud-model or {variable_of('cloud', 'model')} "
        "(and --cloud-url), and put its key in a variable"
    )


def expectation_body(said: Expectation, only: OnlyArm | None) -> dict[str, Any]:
    """What a setting is expected to do; where one arm answers all, that it does."""
    body = said.to_dict()
    if only is None:
        return body
    kept = 1.0 if only.place == "device" else 0.0
    shares = {"cost_advantage": kept, "cloud_share": 1.0 - kept}
    return {**body, **dict.fromkeys(_OF_TWO_ARMS), **shares, "reason": only.why}
