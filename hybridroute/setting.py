"""How much to send to the cloud: the one setting a user turns, said in one of several ways."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, fields
from numbers import Real
from typing import Literal

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.manifest import ALL_CLOUD_THRESHOLD
from hybridroute.promise import Promise

AmountKind = Literal["dial", "threshold", "cost_advantage", "cost_weight", "budget_usd"]
"""What is said by a number."""
SettingKind = AmountKind | Literal["promise"]

_HIGHEST: dict[AmountKind, float] = {
    "dial": 1.0,
    "threshold": ALL_CLOUD_THRESHOLD,
    "cost_advantage": 1.0,
    "cost_weight": sys.float_info.max,
    "budget_usd": sys.float_info.max,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Exactly one of these.

    Parameters
    ----------
    dial : float or None
        In [0, 1]. 0 is all-edge, 1 the best the arms can do; see :class:`Policy`. Of a pool, 0
        sends each query to the arm expected cheapest for it.
    threshold : float or None
        In [0, 1.01]. The edge answers if score >= threshold; above 1 everything goes to the cloud.
    cost_advantage : float or None
        In [0, 1]. The share of queries that the edge is to answer, of those that the router can
        judge; of a pool, the share saved of what the dearest arm would cost.
    cost_weight : float or None
        Of a pool whose estimates are qualities: units of q given up for a US dollar, at least 0.
    budget_usd : float or None
        Of a pool: the mean US dollars a query may cost.
    promise : Promise or None
        The least cloud share that keeps it.

    Raises
    ------
    ConfigError
        If none or several are given, or the number is not finite or out of range.
    """

    dial: float | None = None
    threshold: float | None = None
    cost_advantage: float | None = None
    cost_weight: float | None = None
    budget_usd: float | None = None
    promise: Promise | None = None

    def __post_init__(self) -> None:
        names = [item.name for item in fields(self)]
        given = [name for name in names if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(given) if given else "none of them"
            raise ConfigError(f"give one of {', '.join(names)}, not {said}")
        promise: object = self.promise
        if promise is not None:
            if not isinstance(promise, Promise):
                kind = type(promise).__name__
                raise ConfigError(f"promise is a {kind}; give a Promise", param="promise")
            return
        name = next(name for name in _HIGHEST if name in given)
        object.__setattr__(self, name, _checked(name, getattr(self, name), _HIGHEST[name]))

    @property
    def kind(self) -> SettingKind:
        """Which of them was given."""
        return next((name for name in _HIGHEST if getattr(self, name) is not None), "promise")

    @property
    def value(self) -> float:
        """The number that was given; of a promise its limit."""
        if self.promise is not None:
            return self.promise.max_drop
        value: float = getattr(self, self.kind)
        return value

    def __str__(self) -> str:
        if self.promise is not None:
            return f"promise: {self.promise}"
        return f"{self.kind} {self.value:g}"


def setting_from(
    *,
    dial: float | Promise | None = None,
    threshold: float | None = None,
    cost_advantage: float | None = None,
    setting: Setting | None = None,
) -> Setting | None:
    """The setting that was given, or None if none was. A promise stands where a dial does.

    Raises
    ------
    ConfigError
        If several were given, the number is out of range, or ``setting`` is no Setting.
    """
    named = {"dial": dial, "threshold": threshold, "cost_advantage": cost_advantage}
    given = [name for name, value in named.items() if value is not None]
    if setting is not None:
        if given:
            raise ConfigError(f"setting and {' and '.join(given)} are given; give one of them")
        return checked_setting(setting)
    if not given:
        return None
    if isinstance(dial, Promise):
        return Setting(promise=dial, threshold=threshold, cost_advantage=cost_advantage)
    return Setting(dial=dial, threshold=threshold, cost_advantage=cost_advantage)


def setting_of(kind: AmountKind, value: float) -> Setting:
    """The setting of that kind.

    Raises
    ------
    ConfigError
        If the number is out of range.
    """
    return Setting(
        dial=value if kind == "dial" else None,
        threshold=value if kind == "threshold" else None,
        cost_advantage=value if kind == "cost_advantage" else None,
        cost_weight=value if kind == "cost_weight" else None,
        budget_usd=value if kind == "budget_usd" else None,
    )


def checked_setting(value: object) -> Setting:
    """The value, if it is a Setting.

    Raises
    ------
    ConfigError
        If it is something else.
    """
    if isinstance(value, Setting):
        return value
    raise ConfigError(
        f"setting is a {type(value).__name__}; give a Setting, such as Setting(dial=0.8)",
        param="setting",
    )


def _checked(name: str, value: object, highest: float) -> float:
    bounded = f"from 0 to {highest:g}" if highest < sys.float_info.max else "of at least 0"
    wanted = f"give a number {bounded}"
    if isinstance(value, bool) or not isinstance(value, Real):
        kind = type(value).__name__
        raise ConfigError(f"{name} is {value!r}, a {kind}; {wanted}", param=name)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not 0.0 <= number <= highest:
        raise ConfigError(f"{name} is {number!r}; {wanted}", param=name)
    return number
