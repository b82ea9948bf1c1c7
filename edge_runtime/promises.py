"""The promises a bundle holds: limits on the quality drop that outcomes supported, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.grid import check_grid

PromiseKind = Literal["absolute", "relative", "gap"]
"""What a drop is measured in; see docs/promise.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseRow:
    """One limit, and what the outcomes support of it.

    Parameters
    ----------
    kind : {"absolute", "relative", "gap"}
    max_drop, confidence : float
        alpha and 1 - delta, both in (0, 1).
    feasible : bool
        Whether any share of the queries may stay on the edge. If not, the rest is all-cloud's.
    threshold : float
        Edge if score >= threshold.
    cost_advantage : float
        Share of the calibration rows answered on the edge.
    drop, drop_bound : float
        The point value, and its upper confidence limit at that threshold taken alone, at most
        ``max_drop``; in the terms of ``kind``.
    needed_n : int or None
        Where infeasible: about how many outcomes would do; None if none would.
    test : str
        ``three-valued`` (exact) or ``betting``; of ratings ``weighted betting`` where arms
        were drawn at random, else ``worst case``.
    """

    kind: PromiseKind
    max_drop: float
    confidence: float
    feasible: bool
    threshold: float
    cost_advantage: float
    drop: float
    drop_bound: float
    needed_n: int | None = None
    test: str

    def __post_init__(self) -> None:
        kinds = get_args(PromiseKind)
        if self.kind not in kinds:
            raise BundleError(f"a promise is of kind {self.kind!r}; it must be one of {kinds}")
        for name in ("max_drop", "confidence"):
            if not 0.0 < getattr(self, name) < 1.0:
                value = getattr(self, name)
                raise BundleError(f"a promise's {name} is {value}; it must be between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class DialBounds:
    """What each dial setting i / GRID, i = 0..GRID, did on the outcomes (absolute drops).

    ``bounds`` are the drops' upper confidence limits at ``confidence``, each taken alone; None
    where the bundle holds none.
    """

    confidence: float
    cost_advantage: tuple[float, ...]
    drop: tuple[float, ...]
    bounds: tuple[float | None, ...]

    def __post_init__(self) -> None:
        for name in ("cost_advantage", "drop"):
            check_grid(f"promises.dial.{name}", getattr(self, name))
        known = tuple(0.0 if bound is None else bound for bound in self.bounds)
        check_grid("promises.dial.bounds", known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """All promises of a bundle, fitted on the same outcomes of its pair of arms.

    Parameters
    ----------
    source : str
        Where the outcomes come from.
    n, n_seen_in_training : int
        Outcomes used, and those left out because the router was fitted or selected on their prompt.
    quality_low, quality_high : float
        The range every quality lies in.
    kept : tuple of PromiseRow
        Those that the outcomes do not support are among them; see ``feasible``.
    dial : DialBounds or None
    """

    source: str
    n: int
    n_seen_in_training: int
    quality_low: float
    quality_high: float
    kept: tuple[PromiseRow, ...]
    dial: DialBounds | None = None
