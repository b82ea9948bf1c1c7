"""A promise asked for, and the one of the bundle's that stands behind it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, cast, get_args

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.promises import PromiseKind, PromiseRow, Promises

_MAKE = "`hybridroute calibrate --outcomes FILE --max-drop"
_ROUND_OFF = 1e-9
CONFIDENCE = 0.9
"""Of a promise that states none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """At most this quality drop on average, with this confidence, at the least cost.

    Parameters
    ----------
    max_drop : float
        In (0, 1): mean quality of all-cloud minus that of the routed answers, in units of q.
    confidence : float
        In (0, 1): the chance, over the outcomes the bundle was calibrated on, that it holds.
    drop_kind : {"absolute", "relative", "gap"}
        What ``max_drop`` is: a difference of q, a share of the mean quality of all-cloud, or a
        share of the gap between the arms (1 - PGR).

    Raises
    ------
    ConfigError
        If a number is out of range, or the kind is unknown.

    Examples
    --------
    >>> client.dial = Promise(max_drop=0.02, confidence=0.9)  # doctest: +SKIP
    """

    max_drop: float
    confidence: float = CONFIDENCE
    drop_kind: PromiseKind = "absolute"

    def __post_init__(self) -> None:
        for name in ("max_drop", "confidence"):
            value = getattr(self, name)
            number = float(value) if _is_number(value) else 0.0
            if not 0.0 < number < 1.0:
                raise ConfigError(f"{name} is {value!r}; give a number between 0 and 1", param=name)
            object.__setattr__(self, name, number)
        if self.drop_kind not in get_args(PromiseKind):
            kinds = ", ".join(get_args(PromiseKind))
            raise ConfigError(
                f"drop_kind is {self.drop_kind!r}; use one of {kinds}", param="drop_kind"
            )

    def __str__(self) -> str:
        return f"{_named(self.drop_kind, self.max_drop)} with {self.confidence:g} confidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingPromise:
    """The promise that stands behind a decision, taken over traffic and not for one answer.

    Parameters
    ----------
    kind : {"absolute", "relative", "gap"}
    max_drop, confidence : float
        What was promised: as asked, or the next stricter that the bundle holds.
    drop, drop_bound : float
        The point value on the calibration outcomes, and its upper confidence limit at this
        threshold taken alone, at most ``max_drop``.
    cost_advantage : float
        Share of those outcomes answered on the edge.
    n : int
        Outcomes.
    source : str
        Where they come from.
    """

    kind: PromiseKind
    max_drop: float
    confidence: float
    drop: float
    drop_bound: float
    cost_advantage: float
    n: int
    source: str

    def __str__(self) -> str:
        return f"{_named(self.kind, self.max_drop)} with {self.confidence:g} confidence"

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenPromise:
    """A threshold, and the promise that stands behind it."""

    threshold: float
    standing: StandingPromise


def find_promise(promises: Promises, asked: Promise) -> ChosenPromise:
    """What the bundle holds for ``asked``.

    Of the promises at least as strict as the one asked for, the one nearest to it: the largest
    ``max_drop``, then the least confidence. It is picked by what was asked and not by what came
    out, so its confidence stands.

    Raises
    ------
    ConfigError
        If the bundle holds none so strict, or its outcomes do not support it; says how many would.
    """
    same = [held for held in promises.kept if held.kind == asked.drop_kind]
    enough = [
        held
        for held in same
        if held.max_drop <= asked.max_drop + _ROUND_OFF
        and held.confidence >= asked.confidence - _ROUND_OFF
    ]
    if not enough:
        raise ConfigError(f"{_none_so_strict(asked, same)}. {_how(asked)}")
    chosen = max(enough, key=lambda held: (held.max_drop, -held.confidence))
    if not chosen.feasible:
        raise ConfigError(
            f"the bundle's {promises.n} outcomes do not support {asked}: {_needed(chosen)}"
        )
    standing = StandingPromise(
        kind=chosen.kind,
        max_drop=chosen.max_drop,
        confidence=chosen.confidence,
        drop=chosen.drop,
        drop_bound=chosen.drop_bound,
        cost_advantage=chosen.cost_advantage,
        n=promises.n,
        source=promises.source,
    )
    return ChosenPromise(threshold=chosen.threshold, standing=standing)


def promise_from(
    max_drop: float | None, confidence: float | None = None, drop_kind: str | None = None
) -> Promise | None:
    """The promise that settings ask for; None where they ask for none.

    Raises
    ------
    ConfigError
        If a number is out of range, the kind is unknown, or there is no limit for it to belong to.
    """
    if max_drop is None:
        if confidence is not None or drop_kind is not None:
            said = "confidence" if confidence is not None else "drop_kind"
            raise ConfigError(f"{said} belongs to a promise; give max_drop too, such as 0.02")
        return None
    return Promise(
        max_drop=max_drop,
        confidence=CONFIDENCE if confidence is None else confidence,
        drop_kind=cast("PromiseKind", drop_kind or "absolute"),  # Promise looks at it
    )


def no_promises(asked: Promise) -> ConfigError:
    """The error of a bundle that holds no promise at all."""
    return ConfigError(
        f"the bundle holds no promises, so {asked} cannot be asked of it. {_how(asked)}"
    )


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _how(asked: Promise) -> str:
    flag = "" if asked.drop_kind == "absolute" else f" --drop-kind {asked.drop_kind}"
    return (
        f"Run {_MAKE} {asked.max_drop:g}{flag} --confidence {asked.confidence:g}` on outcomes of "
        "your two models, some hundreds at least (docs/promise.md)"
    )


def _none_so_strict(asked: Promise, same: list[PromiseRow]) -> str:
    if not same:
        return f"the bundle holds no promise of the kind {asked.drop_kind!r} that {asked} is"
    strictest = min(held.max_drop for held in same)
    surest = max(held.confidence for held in same)
    return (
        f"the bundle holds no promise as strict as {asked}: its strictest limit is "
        f"{strictest:g} and its highest confidence {surest:g}"
    )


def _needed(chosen: PromiseRow) -> str:
    if chosen.needed_n is None:
        return "no threshold's drop is under the limit, so more outcomes would not help"
    return f"about {chosen.needed_n} would, if they are like these"


def _named(kind: PromiseKind, max_drop: float) -> str:
    of: dict[PromiseKind, str] = {
        "absolute": f"at most {max_drop:g} of quality lost",
        "relative": f"at most {max_drop:.3g} of the cloud's quality lost",
        "gap": f"at most {max_drop:.3g} of the gap lost",
    }
    return of[kind]
