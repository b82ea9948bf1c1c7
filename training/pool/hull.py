"""The non-decreasing convex hull (NDCH) of points of cost and quality, and AIQ, its mean height.

As RouterBench defines them (arXiv 2403.12031, section 3.2): two routers can be mixed at random,
which reaches every point of the line between them, and a dearer point that is worse is never taken.
So NDCH is a curve, not a figure; the figure is AIQ, over a cost range that is the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError

Floats = NDArray[np.float64]
ROUND_OFF = 1e-12
"""Costs no further apart than this share of them are equal."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hull:
    """The least concave curve above all points, from the cheapest on, flat after its top.

    Parameters
    ----------
    cost, quality : ndarray, shape (k,)
        Its corners; both rise strictly.
    members : ndarray of int, shape (k,)
        Which of the given points each corner is.
    """

    cost: Floats
    quality: Floats
    members: NDArray[np.intp]

    def at(self, cost: float) -> float:
        """Quality at a cost: between corners their mix, after the last its quality.

        NaN below the cheapest point: no mix costs so little.
        """
        if cost < self.cost[0]:
            return float("nan")
        return float(np.interp(cost, self.cost, self.quality))

    def cost_of(self, quality: float) -> float | None:
        """Least cost that reaches a quality; None if the top is below it."""
        if quality > self.quality[-1]:
            return None
        if quality <= self.quality[0]:
            return float(self.cost[0])
        return float(np.interp(quality, self.quality, self.cost))

    def aiq(self, low: float, high: float) -> float | None:
        """Average Improvement in Quality: the mean height between two costs.

        RouterBench (arXiv 2403.12031), equation 6: 1 / (high - low) times the integral. None where
        high is not above low (all costs are equal, or zero), or the curve begins after low.
        """
        if not high > low or self.cost[0] > low + ROUND_OFF * abs(low):
            return None
        inside = (self.cost > low) & (self.cost < high)
        at = np.concatenate([[low], self.cost[inside], [high]])
        held = np.interp(at, self.cost, self.quality)
        return float(((held[1:] + held[:-1]) / 2.0) @ np.diff(at) / (high - low))


def hull_of(cost: Sequence[float] | Floats, quality: Sequence[float] | Floats) -> Hull:
    """The hull of points.

    Raises
    ------
    DataError
        If there is no point, or one is not finite.
    """
    costs, qualities = np.asarray(cost, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    if not len(costs) or costs.shape != qualities.shape:
        raise DataError(f"{len(costs)} costs and {len(qualities)} qualities; give points")
    if not (np.isfinite(costs).all() and np.isfinite(qualities).all()):
        raise DataError("a point's cost or quality is not finite")
    kept: list[int] = []
    for point in np.lexsort((-qualities, costs)):
        if kept and qualities[point] <= qualities[kept[-1]]:
            continue
        while len(kept) > 1 and _is_below(costs, qualities, kept[-2], kept[-1], int(point)):
            kept.pop()
        kept.append(int(point))
    members = np.array(kept, dtype=np.intp)
    return Hull(cost=costs[members], quality=qualities[members], members=members)


def _is_below(cost: Floats, quality: Floats, left: int, middle: int, right: int) -> bool:
    """Whether the middle point lies on or below the line between the others."""
    rise = (quality[right] - quality[left]) * (cost[middle] - cost[left])
    return bool((quality[middle] - quality[left]) * (cost[right] - cost[left]) <= rise)
