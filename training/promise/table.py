"""Every promise that a bundle is to hold, from one set of outcomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hybridroute.edge_runtime.manifest import Calibration
from hybridroute.edge_runtime.promises import DialBounds, PromiseRow, Promises
from hybridroute.training.promise.bounds import drop_bounds
from hybridroute.training.promise.fit import Fitted, fit_promise, is_share_known
from hybridroute.training.promise.lattice_sums import Floats
from hybridroute.training.promise.outcomes import Limit, Rows

LIMITS = (0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2)
RELATIVE_LIMITS = (0.01, 0.02, 0.05, 0.1)
CONFIDENCES = (0.9, 0.95)
_DIGITS = 6


def promise_table(
    rows: Rows,
    *,
    source: str,
    seen: int = 0,
    calibration: Calibration | None = None,
    asked: Sequence[Fitted] = (),
) -> Promises:
    """Fit the usual limits, and put those asked for in their place among them.

    Parameters
    ----------
    rows : Rows
    source : str
        Where they come from, for the manifest.
    seen : int
        Rows left out because the router had seen them.
    calibration : Calibration or None
        Its dial's settings get point value and bound; none without one.
    asked : sequence of Fitted
        Fitted on the same rows.
    """
    found = {(held.limit.kind, held.limit.max_drop, held.limit.confidence): held for held in asked}
    for limit in _limits(rows):
        key = (limit.kind, limit.max_drop, limit.confidence)
        if key not in found:
            found[key] = fit_promise(rows, limit, quick=True)
    kept = tuple(_row(held) for _, held in sorted(found.items()))
    held_range = rows.quality_range
    return Promises(
        source=source,
        n=rows.n,
        n_seen_in_training=seen,
        quality_low=held_range.low,
        quality_high=held_range.high,
        kept=kept,
        dial=None if calibration is None else _dial(rows, calibration),
    )


def _limits(rows: Rows) -> list[Limit]:
    held = rows.quality_range
    limits = [
        Limit(max_drop=drop * held.width, confidence=confidence)
        for confidence in CONFIDENCES
        for drop in LIMITS
        if drop * held.width < 1.0
    ]
    one_sign = held.low >= 0.0 or held.high <= 0.0
    if rows.relative and one_sign and is_share_known(rows):
        limits += [Limit(max_drop=drop, kind="relative") for drop in RELATIVE_LIMITS]
    return limits


def _row(held: Fitted) -> PromiseRow:
    return PromiseRow(
        kind=held.limit.kind,
        max_drop=held.limit.max_drop,
        confidence=held.limit.confidence,
        feasible=held.feasible,
        threshold=held.threshold,
        cost_advantage=round(held.cost_advantage, _DIGITS),
        drop=round(held.drop, _DIGITS),
        drop_bound=round(held.drop_bound, _DIGITS),
        needed_n=held.needed_n,
        test=held.test,
    )


def _dial(rows: Rows, calibration: Calibration) -> DialBounds:
    """Point value and bound of each of the dial's thresholds, on these rows."""
    order = np.argsort(rows.scores)
    loss = rows.loss[order] * rows.quality_range.width

    def above(values: Floats) -> Floats:
        return np.append(np.cumsum(values[::-1])[::-1], 0.0) / rows.n

    kept = above(np.where(rows.outside[order], 0.0, 1.0))
    thresholds = np.array(calibration.dial.thresholds)
    first = np.searchsorted(rows.scores[order], thresholds, side="left")
    limit = Limit(max_drop=LIMITS[0], confidence=CONFIDENCES[0])
    bounds = np.round(drop_bounds(rows, thresholds, limit), _DIGITS)
    return DialBounds(
        confidence=limit.confidence,
        cost_advantage=tuple(np.round(kept[first], _DIGITS).tolist()),
        drop=tuple(np.round(above(loss)[first], _DIGITS).tolist()),
        bounds=tuple(bounds.tolist()),
    )
