"""Outcomes and a limit -> the largest cost advantage that keeps it, or how many more are needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.manifest import ALL_CLOUD_THRESHOLD
from hybridroute.relative_drop import LEVEL_SE, is_off_zero
from hybridroute.training.curve import curve_of, standard_error
from hybridroute.training.metrics import pgr_undefined
from hybridroute.training.promise.bounds import bound_at
from hybridroute.training.promise.lattice_sums import Floats
from hybridroute.training.promise.outcomes import (
    LATTICE,
    Limit,
    PairedOutcomes,
    QualityRange,
    Rows,
    UnsupportedError,
)
from hybridroute.training.promise.search import search

_QUICK = 2.5
_POWER = 1.8
"""Standard errors below the limit at which the tests certify more often than not."""
_MARGIN = 1.5
"""What the exact tests take of rows without any loss, over the plain count."""
_LEAST_ADVANTAGE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What the outcomes support.

    Parameters
    ----------
    limit : Limit
    feasible : bool
        Whether any share of the queries may stay on the edge.
    threshold, cost_advantage : float
        Edge if score >= threshold; the share of these rows that is, those out of scope never being
        so. All-cloud where infeasible.
    drop : float
        The point value at that threshold, in the limit's own terms.
    drop_bound : float
        The drop's upper confidence limit at that threshold taken alone; at most the limit.
    n : int
        Rows.
    needed_n : int or None
        Where infeasible: about how many rows like these would do; None where none would, as the
        drop itself is above the limit.
    test : str
        See :class:`~hybridroute.edge_runtime.promises.PromiseRow`.
    note : str or None
    """

    limit: Limit
    feasible: bool
    threshold: float
    cost_advantage: float
    drop: float
    drop_bound: float
    n: int
    needed_n: int | None
    test: str
    note: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON object, the limit's three numbers among the others."""
        held: dict[str, Any] = plain(self)
        limit = held.pop("limit")
        return {**limit, "delta": round(1.0 - limit["confidence"], 12), **held}


def fit_promise(rows: Rows, limit: Limit, *, quick: bool = False) -> Fitted:
    """Search the thresholds and say what holds.

    Parameters
    ----------
    quick : bool
        Search in coarser steps, which is a little more careful: for tables.

    Raises
    ------
    DataError
        If the limit is relative on a range that holds both signs, or the rows are ratings that do
        not tell what it is a share of.
    UnsupportedError
        If what it is a share of, the gap or the cloud's mean quality, is not clearly off 0.
    """
    _check_meaning(rows, limit)
    found = search(rows, limit, coarser=_QUICK if quick else 1.0)
    on_edge = (rows.place >= found.place) & ~rows.outside
    advantage = float(on_edge.mean())
    feasible = advantage > 0.0
    threshold = float(LATTICE[found.place]) if feasible else ALL_CLOUD_THRESHOLD
    width = rows.quality_range.width
    drop = float(np.where(on_edge, rows.loss, 0.0).mean()) * width / _unit(rows, limit)
    return Fitted(
        limit=limit,
        feasible=feasible,
        threshold=threshold,
        cost_advantage=advantage,
        drop=drop,
        drop_bound=bound_at(rows, limit, found.place, drop) if feasible else 0.0,
        n=rows.n,
        needed_n=None if feasible else needed_rows(rows, limit),
        test=found.test,
        note="the arms never differ on these rows" if not rows.loss.any() else None,
    )


def needed_rows(rows: Rows, limit: Limit) -> int | None:
    """About how many rows like these would support a cost advantage of 1 % or more.

    Two things are needed: so many that no loss at all would be believed, and so many that some
    threshold's drop lies clearly below the limit. None where no threshold's does.
    """
    level = limit.max_drop * _unit(rows, limit) / rows.quality_range.width
    if not level > 0.0:
        return None
    unseen = rows.most * _believed(level, limit)
    sizes, means, squares = _moments(rows)
    useful = (sizes >= _LEAST_ADVANTAGE) & (means < level)
    if not useful.any():
        return None
    spread = squares[useful] - means[useful] ** 2
    clear = (_POWER**2 * spread / (level - means[useful]) ** 2).min()
    return math.ceil(max(unseen, float(clear), rows.n + 1))


def _unit(rows: Rows, limit: Limit) -> float:
    """What the drop is a share of."""
    if limit.kind == "absolute":
        return 1.0
    if limit.kind == "relative":
        return rows.sign * float(rows.cloud_q.mean())
    return float(rows.loss.mean()) * rows.quality_range.width


def _check_meaning(rows: Rows, limit: Limit) -> None:
    if limit.kind == "gap":
        if not isinstance(rows, PairedOutcomes):
            raise DataError("a share of the gap needs both arms' qualities, not ratings of one")
        undefined = pgr_undefined(curve_of(rows.scores, rows.edge_q, rows.cloud_q))
        if undefined is not None:
            raise UnsupportedError(f"no share of the gap can be promised: {undefined}", n=rows.n)
    if limit.kind == "relative" and not rows.relative:
        raise DataError(
            "without exploration the cloud's own quality on these queries is not known, so a drop "
            "relative to it has no meaning; give an absolute limit, or explore"
        )
    if limit.kind == "relative" and not is_share_known(rows):
        mean, error = float(rows.cloud_q.mean()), standard_error(rows.cloud_q)
        raise UnsupportedError(
            f"no relative drop can be promised: the cloud's mean quality is {mean:.4g} on {rows.n} "
            f"outcomes, not clearly off 0 (5 SE are {LEVEL_SE * error:.4g}), and a share of it has "
            "no meaning. Give an absolute limit (leave --drop-kind out)",
            n=rows.n,
        )


def is_share_known(rows: Rows) -> bool:
    """Whether the cloud's mean quality is so far from 0 that a share of it has a meaning."""
    return is_off_zero(float(rows.cloud_q.mean()), standard_error(rows.cloud_q))


def fewest_rows(limit: Limit, quality_range: QualityRange) -> int:
    """About how many rows a limit takes where no row ever loses anything."""
    unit = quality_range.width if limit.kind == "absolute" else 1.0
    return _believed(limit.max_drop / unit, limit)


def _believed(level: float, limit: Limit) -> int:
    return math.ceil(_MARGIN * math.log(limit.delta) / math.log1p(-min(level, 0.999)))


def _moments(rows: Rows) -> tuple[Floats, Floats, Floats]:
    """At each threshold: share on the edge, mean loss, mean squared loss."""
    loss = rows.loss

    def above(weights: Floats) -> Floats:
        summed = np.bincount(rows.place, weights=weights, minlength=len(LATTICE))
        held: Floats = np.cumsum(summed[::-1])[::-1] / rows.n
        return held

    return above(np.where(rows.outside, 0.0, 1.0)), above(loss), above(loss**2)
