"""The dial's table: from scores and qualities of calibration rows to a threshold for each setting.

Only thresholds that exist are used: those between two distinct scores, and the two ends. Dial d
takes the least cloud share whose mean quality reaches q_edge + d (q_best - q_edge), q_best being
the curve's maximum; that is the curve made non-decreasing by its running maximum.

Rows that the router cannot read are the cloud's at every setting, as the client routes them: they
count as the cloud's at both ends of the scale, and a setting's cloud share holds them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import ALL_CLOUD_THRESHOLD, Calibration, DialTable
from hybridroute.training.curve import Curve, columns, curve_of, standard_error
from hybridroute.training.out_of_scope import as_routed, check_any_inside

Floats = NDArray[np.float64]

FLAT_SE = 2.0
"""A gain under this many of its standard errors leaves the dial nothing to turn."""
_ROUND_OFF = 1e-12


def calibrate(
    scores: ArrayLike,
    edge_q: ArrayLike,
    cloud_q: ArrayLike,
    source: str,
    *,
    outside: ArrayLike | None = None,
) -> Calibration:
    """Measure the dial's table.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Router scores in [0, 1] of rows the router was not fitted on.
    edge_q, cloud_q : array_like, shape (n,)
        Mean q of each row, in any unit, of any sign.
    source : str
        Where the rows come from, for the manifest.
    outside : array_like of bool, shape (n,), or None
        Rows that the router cannot read: the cloud's, whatever their score. None: there are none.

    Raises
    ------
    DataError
        If shapes differ or a value is not finite.
    TrainingError
        If there are fewer than two rows, the router can read none of them, or a score is outside
        [0, 1].
    """
    held = columns(
        scores=scores,
        edge_q=edge_q,
        cloud_q=cloud_q,
        outside=np.zeros_like(scores, dtype=np.float64) if outside is None else outside,
    )
    unread = held["outside"] != 0.0
    inside = held["scores"][~unread]
    _check_scores(inside, unread)
    score, cloud = as_routed(held["scores"], unread), held["cloud_q"]
    edge = np.where(unread, cloud, held["edge_q"])  # no setting puts them on the edge
    curve = curve_of(score, edge, cloud)
    calls = np.flatnonzero(curve.boundary)
    calls = calls[calls >= unread.sum()]
    gain = curve.gain[calls]
    chosen = first_reaching(gain)
    best = int(chosen[-1])
    in_cloud = np.argsort(np.argsort(score, kind="stable")) < calls[best]
    gain_se = standard_error(np.where(in_cloud, cloud - edge, 0.0))
    reason = _flat_reason(curve, float(gain[best]), gain_se)
    return Calibration(
        source=source,
        n=curve.n,
        edge_quality=curve.edge_quality,
        cloud_quality=curve.cloud_quality,
        cloud_quality_se=curve.cloud_quality_se,
        best_quality=curve.edge_quality + float(gain[best]),
        best_gain_se=gain_se,
        flat=reason is not None,
        flat_reason=reason,
        dial=_dial_table(inside, curve, calls, chosen),
    )


def _check_scores(score: Floats, unread: NDArray[np.bool_]) -> None:
    if len(unread) < 2:
        raise TrainingError("calibration has 1 row; give at least 2, and some hundreds to mean it")
    check_any_inside(unread)
    if score.min() < 0.0 or score.max() > 1.0:
        worst = score.min() if score.min() < 0.0 else score.max()
        raise TrainingError(f"a score is {worst}; calibrate scores from 0 to 1")


def first_reaching(gain: Floats) -> NDArray[np.int64]:
    """The place of the first gain that reaches each setting's share i / GRID of the largest.

    Parameters
    ----------
    gain : ndarray, shape (k,)
        Mean q over what the cheapest choice gives, by rising cost; the first is 0.

    Returns
    -------
    ndarray of int64, shape (GRID + 1,)

        Sums in another order differ in the last bits, so a level counts as reached just below it.
    """
    settings = np.arange(GRID + 1, dtype=np.float64) / GRID
    reached = np.maximum.accumulate(gain)
    levels = settings * reached[-1] * (1.0 - _ROUND_OFF)
    chosen: NDArray[np.int64] = np.searchsorted(reached, levels, side="left")
    return chosen


def _dial_table(
    score: Floats, curve: Curve, calls: NDArray[np.int64], chosen: NDArray[np.int64]
) -> DialTable:
    at = calls[chosen]
    return DialTable(
        thresholds=tuple(_thresholds(score)[chosen].tolist()),
        cloud_share=tuple((at / curve.n).tolist()),
        quality=tuple((curve.edge_quality + curve.gain[at]).tolist()),
    )


def _thresholds(score: Floats) -> Floats:
    """One threshold for each boundary, of scores in scope: 0 for all-edge, midpoints, 1.01 for
    all-cloud."""
    distinct = np.unique(score)
    lower, upper = distinct[:-1], distinct[1:]
    middle = lower + (upper - lower) / 2.0
    # Between neighbouring floats there is no midpoint; the upper one divides them too.
    middle = np.where(middle > lower, middle, upper)
    return np.concatenate([[0.0], middle, [ALL_CLOUD_THRESHOLD]])


def _flat_reason(curve: Curve, gain: float, gain_se: float) -> str | None:
    means = f"mean q: edge {curve.edge_quality:.4g}, cloud {curve.cloud_quality:.4g}"
    if gain <= 0.0 and curve.gap < 0.0:
        return f"the edge arm is better overall and no split improves on it ({means})"
    if gain <= 0.0:
        return f"the arms are level and no split improves on the edge alone ({means})"
    if gain < FLAT_SE * gain_se:
        kind = "the edge arm is better overall" if curve.gap < 0.0 else "the arms are level"
        return (
            f"{kind}: the best split gains {gain:.4g} over the edge alone, "
            f"under 2 SE ({FLAT_SE * gain_se:.4g}; {means})"
        )
    return None
