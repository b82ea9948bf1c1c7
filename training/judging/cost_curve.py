"""A router's costs and qualities as quality is traded for cost, and what it saves against chance.

Each point weighs cost differently: the arm of the largest ``estimate - weight * expected cost`` is
called, and what it is judged by is the cost and the quality that the table states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.judging.tie_breaking import at_choices, choices
from hybridroute.training.out_of_scope import answered
from hybridroute.training.pool.estimator import EstimateKind
from hybridroute.training.pool.hull import Hull, hull_of

Floats = NDArray[np.float64]
POINTS = 31


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sweep:
    """Quality and cost of each row at each weight, shape (n, points); the first weighs no cost,
    the last nothing else."""

    quality: Floats
    cost: Floats


def sweep(
    estimates: Floats,
    kind: EstimateKind,
    *,
    expected: Floats,
    quality: Floats,
    cost: Floats,
    seed: int,
    fixed: NDArray[np.intp] | None = None,
) -> Sweep:
    """Route n rows at every weight.

    Parameters
    ----------
    estimates, expected, quality, cost : ndarray, shape (n, m)
        Estimates and expected costs before the call; qualities (NaN where missing) and costs
        after it.
    kind : str
        Of the estimates. ``ordinal`` ones cannot be weighed against money: they give the two
        ends, the estimates' choice and the cheapest arm.
    fixed : ndarray of int, shape (n,), or None
        The arm that answers a row whatever the weight, ``ROUTER_DECIDES`` for the others.
    """
    present = ~np.isnan(quality)
    weights = [0.0, *_weights(estimates, expected)] if kind != "ordinal" else [0.0]
    ways = [estimates - weight * expected for weight in weights]
    ways.append(-expected)
    chosen = [answered(choices(values, present, seed=seed), fixed) for values in ways]
    return Sweep(
        quality=np.stack([at_choices(quality, at) for at in chosen], axis=1),
        cost=np.stack([at_choices(cost, at) for at in chosen], axis=1),
    )


def _weights(estimates: Floats, expected: Floats) -> list[float]:
    """From a thousandth to a thousand times the typical exchange rate of estimate and cost."""
    spread = float((estimates.max(axis=1) - estimates.min(axis=1)).mean())
    dearer = float((expected.max(axis=1) - expected.min(axis=1)).mean())
    if spread <= 0.0 or dearer <= 0.0:
        return []
    return [float(w) for w in np.geomspace(1e-3, 1e3, POINTS - 2) * spread / dearer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Cost and quality of the cheapest arm and of the best single one (chosen on train rows).

    Costs are 0 where none are known. ``clear`` says whether the latter is better by more than 2
    standard errors of the paired difference.
    """

    low_cost: float
    low_quality: float
    high_cost: float
    high_quality: float
    clear: bool

    def undefined(self) -> str | None:
        """Why no saving can be stated, or None."""
        if not self.high_cost > self.low_cost:
            return "the best single arm costs no more than the cheapest"
        if not self.clear:
            return "the best single arm is not better than the cheapest by 2 SE"
        return None


def cost_share_at(hull: Hull, ends: Ends, level: float) -> float | None:
    """CPT(x) for m arms: the least extra cost that recovers the share x of the quality gap.

    The gap is that of the best single arm over the cheapest one, and the cost is a share of the
    step in cost between them. RouteLLM's CPT (arXiv 2406.18665, section 3.2), the share of calls to
    the strong model, is read off the router's own curve; this is read off its hull, as routers may
    be mixed. None if never reached.
    """
    wanted = ends.low_quality + level * (ends.high_quality - ends.low_quality)
    found = hull.cost_of(wanted)
    if found is None:
        return None
    return (found - ends.low_cost) / (ends.high_cost - ends.low_cost)


def saving_against_random(share: float | None, level: float) -> float | None:
    """How many times cheaper than a random mix of the two ends: x / CPT(x).

    RouteLLM's cost saving ratio (arXiv 2406.18665, section 5): a random mix needs the share x of
    the cost for the share x of the gap. None where CPT is, or is not above 0.
    """
    return level / share if share is not None and share > 0.0 else None


def hull_with(quality: Floats, cost: Floats, cheapest: tuple[float, float]) -> Hull:
    """The hull of mean points of shape (points,) and of the cheapest arm's cost and quality: that
    arm is always at hand."""
    return hull_of(np.append(cost, cheapest[0]), np.append(quality, cheapest[1]))
