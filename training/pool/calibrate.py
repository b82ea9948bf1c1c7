"""A pool's tables: from estimates and expected costs of calibration rows to a weight a setting.

At weight w the arm of the largest ``estimate - w * expected cost`` answers. As w grows, a row's
choice moves along the convex hull of its arms' costs and estimates, so only the slopes of those
hulls are weights worth looking at: between two of them nothing changes.

Choices are made among all arms, as the device makes them; whether an arm has an outcome there is
known to nobody who routes. What the missing cells would have held is taken from the other rows that
choose the same arm. Rows that the router cannot read go to one arm at every weight.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.pool import WeightTable
from hybridroute.training.calibrate import FLAT_SE, first_reaching
from hybridroute.training.curve import standard_error
from hybridroute.training.out_of_scope import ROUTER_DECIDES, answered, check_any_inside
from hybridroute.training.pool.hull import hull_of

Floats = NDArray[np.float64]

_MOST_WEIGHTS = 2000
_BEYOND = 1000.0
"""The largest weight is so many times the largest that any calibration row needs: a query that the
router is surer of than of any of those still goes to the arm expected cheapest for it."""
_ROUND_OFF = 1e-9
_ENOUGH = 10
"""So many outcomes of an arm's choosers make a mean of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCalibration:
    """What :class:`Pool` holds of the calibration rows."""

    dearest_usd: float
    dial: WeightTable
    advantage: WeightTable
    flat_reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Way:
    """What a weight does: a quality a row (n,), see :func:`judged`, and the mean expected cost."""

    weight: float
    quality: Floats
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """The calibration rows: (n, m) each; ``fixed`` (n,) as in :func:`calibrate_pool`, or None."""

    estimates: Floats
    quality: Floats
    expected: Floats
    fixed: NDArray[np.intp] | None

    def ways(self) -> list[_Way]:
        """What each weight does, by rising weight: by falling cost."""
        read = np.ones(len(self.estimates), dtype=np.bool_)
        if self.fixed is not None:
            read = self.fixed == ROUTER_DECIDES
            check_any_inside(~read)
        every = weights(self.estimates[read], self.expected[read])
        return [self._way(weight) for weight in every]

    def _way(self, weight: float) -> _Way:
        chosen = (self.estimates - weight * self.expected).argmax(axis=1)
        chosen = answered(chosen, self.fixed)
        return _Way(
            weight=float(weight),
            quality=judged(self.quality, chosen),
            usd=float(self.expected[np.arange(len(chosen)), chosen].mean()),
        )


def calibrate_pool(
    estimates: Floats,
    quality: Floats,
    expected: Floats,
    *,
    fixed: NDArray[np.intp] | None = None,
) -> PoolCalibration:
    """Measure the tables; the columns stand in the pool's order, the cheapest arm first.

    Parameters
    ----------
    estimates : ndarray, shape (n, m)
        By the exported router, of rows it was not fitted on.
    quality : ndarray, shape (n, m)
        NaN where a cell is missing; each arm has one that is not. See :func:`judged`.
    expected : ndarray, shape (n, m)
        Expected costs in US dollars.
    fixed : ndarray of int, shape (n,), or None
        The column that answers a row out of scope, ``ROUTER_DECIDES`` for the others; None where
        there is none.

    Raises
    ------
    TrainingError
        If there are fewer than two rows, or the router can read none of them.
    """
    if len(quality) < 2:
        raise TrainingError("calibration has 1 row; give at least 2, and some hundreds to mean it")
    rows = _Rows(estimates=estimates, quality=quality, expected=expected, fixed=fixed)
    ways = rows.ways()
    dearest = float(expected[:, -1].mean())
    return PoolCalibration(
        dearest_usd=dearest,
        dial=_dial(ways[::-1]),
        advantage=_advantage(ways, dearest),
        flat_reason=_flat_reason(ways[::-1], expected),
    )


def costs_alone(
    estimates: Floats,
    expected: Floats,
    reason: str,
    *,
    fixed: NDArray[np.intp] | None = None,
) -> PoolCalibration:
    """The tables of a pool whose choices nobody has judged: flat, and without qualities.

    Parameters
    ----------
    estimates, expected : ndarray, shape (n, m)
    reason : str
        Why nothing is known of qualities.
    fixed : ndarray of int, shape (n,), or None
        As in :func:`calibrate_pool`.

    Raises
    ------
    TrainingError
        If the router can read none of the rows.
    """
    unknown = np.zeros_like(estimates)
    rows = _Rows(estimates=estimates, quality=unknown, expected=expected, fixed=fixed)
    ways = rows.ways()
    dearest = float(expected[:, -1].mean())
    advantage = replace(_advantage(ways, dearest), quality=())
    return PoolCalibration(
        dearest_usd=dearest, dial=advantage, advantage=advantage, flat_reason=reason
    )


def weights(estimates: Floats, expected: Floats) -> Floats:
    """0, a weight between every two slopes at which a row's choice changes, and a large one."""
    slopes = [
        np.diff(hull.quality) / np.diff(hull.cost)
        for hull in (hull_of(cost, held) for cost, held in zip(expected, estimates, strict=True))
    ]
    held = np.unique(np.concatenate(slopes))
    held = held[np.isfinite(held)]
    if not len(held):
        return np.array([0.0, 1.0])
    largest = _BEYOND * held[-1]
    if len(held) > _MOST_WEIGHTS:
        held = np.unique(np.quantile(held, np.linspace(0.0, 1.0, _MOST_WEIGHTS)))
    between = held[:-1] + np.diff(held) / 2.0
    return np.concatenate([[0.0], between, [2.0 * held[-1], largest]])


def judged(quality: Floats, chosen: NDArray[np.intp]) -> Floats:
    """A value a row whose mean is the mean quality of the choices, and whose spread is its error's.

    Where every chosen cell has an outcome, these are the outcomes. Else each arm counts with the
    mean of those of its choosers that have one, weighed by how many choose it: the deviations from
    that mean are weighed up by the missing ones. An arm with hardly any such chooser counts with
    its mean over all rows where the outcome is missing: a mean of a few would be luck.

    Parameters
    ----------
    quality : ndarray, shape (n, m)
        NaN where a cell is missing.
    chosen : ndarray of int, shape (n,)
        Which arm each row takes.
    """
    arms = quality.shape[1]
    held = quality[np.arange(len(chosen)), chosen]
    if not (missing := np.isnan(held)).any():
        return held
    known = ~missing
    choosers = np.bincount(chosen, minlength=arms)
    seen = np.bincount(chosen[known], minlength=arms)
    sums = np.bincount(chosen[known], weights=held[known], minlength=arms)
    enough = seen >= np.minimum(choosers, _ENOUGH)
    everywhere = ~np.isnan(quality)
    means = np.where(everywhere, quality, 0.0).sum(axis=0) / np.maximum(everywhere.sum(axis=0), 1)
    means = np.where(enough, sums / np.maximum(seen, 1), means)
    weight = np.where(enough, choosers / np.maximum(seen, 1), 1.0)
    value: Floats = means[chosen] + weight[chosen] * np.where(known, held - means[chosen], 0.0)
    return value


def _dial(ways: list[_Way]) -> WeightTable:
    """Of ways by rising cost."""
    gain = np.array([(way.quality - ways[0].quality).mean() for way in ways])
    chosen = [ways[at] for at in first_reaching(gain)]
    return _table(chosen, [way.usd for way in chosen])


def _advantage(ways: list[_Way], dearest: float) -> WeightTable:
    """Of ways by falling cost."""
    costs = np.minimum.accumulate([way.usd for way in ways])
    wanted = (1.0 - np.arange(GRID + 1) / GRID) * dearest * (1.0 + _ROUND_OFF)
    first = np.searchsorted(-costs, -wanted, side="left")
    places = np.minimum(first, len(ways) - 1)
    return _table([ways[at] for at in places], [float(costs[at]) for at in places])


def _table(ways: list[_Way], costs: list[float]) -> WeightTable:
    return WeightTable(
        cost_weight=tuple(_rounded(way.weight) for way in ways),
        cost_usd=tuple(_rounded(cost) for cost in costs),
        quality=tuple(_rounded(float(way.quality.mean())) for way in ways),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.7g}")


def _flat_reason(ways: list[_Way], expected: Floats) -> str | None:
    """Of ways by rising cost."""
    if (np.ptp(expected, axis=1) <= 0.0).all():
        return "all arms cost the same, so the largest estimate answers at every setting"
    first = ways[0]
    best = max(ways, key=lambda way: float(way.quality.mean()))
    gain = float((best.quality - first.quality).mean())
    held = f"mean q there {first.quality.mean():.4g}"
    if gain <= 0.0:
        return f"no setting improves on the arm expected cheapest for each query ({held})"
    enough = FLAT_SE * standard_error(best.quality - first.quality)
    if gain < enough:
        return (
            f"the best setting gains {gain:.4g} over the arm expected cheapest for each query, "
            f"under 2 SE ({enough:.4g}; {held})"
        )
    return None
