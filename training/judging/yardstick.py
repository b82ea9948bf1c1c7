"""What every router's figures are measured against, on one set of judged rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.judging.all_runs import Plan
from hybridroute.training.judging.averaged_rows import (
    AveragedRows,
    RowAverager,
    averaged,
    judged_rows,
)
from hybridroute.training.judging.baselines import best_single, chance, oracle
from hybridroute.training.judging.comparison_row import Pair
from hybridroute.training.judging.cost_curve import Ends
from hybridroute.training.judging.one_run import Run
from hybridroute.training.judging.paired import Resamples, resamples_of
from hybridroute.training.judging.records import Records, costs_filled
from hybridroute.training.pool.hull import ROUND_OFF

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DrawnCosts:
    """In each resample: mean cost and quality of the arm that is cheapest in it, range of costs."""

    low: tuple[Pair, ...]
    spans: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Yardstick:
    """The same for all routers.

    Parameters
    ----------
    arms : tuple of str
    domains : tuple of (str or None)
        Of the judged rows.
    resamples : Resamples
    chance, oracle, best_single : AveragedRows
    cheapest : int
        The arm of the least mean cost, the better of equals; without costs that of the least
        quality on the rows to train on.
    ends : Ends
        That arm and the best single one.
    reference : float or None
        A strong model's mean quality, for V_R.
    arm_cost, arm_quality : ndarray, shape (m,), or None
        Means of the judged rows; of those with an outcome there, the cheapest and the dearest give
        the cost range. A quality is NaN without one.
    drawn : DrawnCosts or None
        None without a range of costs.
    """

    arms: tuple[str, ...]
    domains: tuple[str | None, ...]
    resamples: Resamples
    chance: AveragedRows
    oracle: AveragedRows
    best_single: AveragedRows
    cheapest: int
    ends: Ends
    reference: float | None
    arm_cost: Floats | None
    arm_quality: Floats
    drawn: DrawnCosts | None

    @property
    def cost_range(self) -> Pair | None:
        """Mean cost of the cheapest and of the dearest arm; None where they do not differ."""
        if self.arm_cost is None:
            return None
        held = self.arm_cost[np.isfinite(self.arm_quality)]
        return (float(held.min()), float(held.max())) if np.ptp(held) > 0.0 else None

    @property
    def cpt_undefined(self) -> str | None:
        """Why no CPT can be stated, or None; None, too, where no costs are known at all."""
        return None if self.cost_range is None else self.ends.undefined()


def drawn_costs(resamples: Resamples, cost: Floats | None, quality: Floats) -> DrawnCosts | None:
    """Of judged rows' costs and qualities (n, m), the latter NaN in whole columns if at all."""
    if cost is None:
        return None
    known = np.isfinite(quality).all(axis=0)
    costs, qualities = resamples.means(cost[:, known]), resamples.means(quality[:, known])
    at, rows = cheapest_of(costs, qualities), np.arange(len(costs))
    return DrawnCosts(
        low=tuple(zip(costs[rows, at].tolist(), qualities[rows, at].tolist(), strict=True)),
        spans=tuple(zip(costs.min(axis=1).tolist(), costs.max(axis=1).tolist(), strict=True)),
    )


def cheapest_of(costs: Floats, qualities: Floats) -> NDArray[np.intp]:
    """The cheapest arm by mean costs of shape (k, m), the better of equals: shape (k,).

    An arm whose mean quality is NaN had no outcome, and is none to fall back on.
    """
    known = np.where(np.isnan(qualities), np.inf, costs)
    equals = known <= known.min(axis=1, keepdims=True) * (1.0 + ROUND_OFF)
    found: NDArray[np.intp] = np.where(equals, qualities, -np.inf).argmax(axis=1)
    return found


def yardstick_of(
    records: Records, plan: Plan, runs: Sequence[Run], average: RowAverager
) -> Yardstick:
    """Of the rows that the runs judged."""
    rows = judged_rows(average.folds)
    domains = tuple(records.table.domains[row] for row in rows)
    resamples = resamples_of(
        domains,
        average=plan.average,
        held_out_domains=plan.held_out == "domains",
        resamples=plan.resamples,
        seed=plan.seed,
    )
    quality = records.table.quality[rows]
    cost = _judged_costs(records, runs, rows)
    arm_cost = None if cost is None else resamples.base @ cost
    arm_quality = _weighted_means(quality, resamples.base)
    single = average([best_single(run) for run in runs])
    cheapest = _cheapest(arm_cost, arm_quality, runs)
    quality = np.where(np.isnan(quality), arm_quality, quality)
    low_cost = 0.0 if arm_cost is None else float(arm_cost[cheapest])
    return Yardstick(
        arms=records.table.arms,
        domains=domains,
        resamples=resamples,
        chance=average([chance(run) for run in runs]),
        oracle=average([oracle(run) for run in runs]),
        best_single=single,
        cheapest=cheapest,
        ends=_ends(single, quality[:, cheapest], low_cost, resamples),
        reference=plan.reference,
        arm_cost=arm_cost,
        arm_quality=arm_quality,
        drawn=drawn_costs(resamples, cost, quality),
    )


def _judged_costs(records: Records, runs: Sequence[Run], rows: NDArray[np.intp]) -> Floats | None:
    """Of the judged rows, (n, m); what none is stated for is the mean of what the runs expect."""
    costs = [run.cost for run in runs if run.cost is not None]
    if records.cost is None or len(costs) < len(runs):
        return None
    places = [np.searchsorted(rows, run.fold.test) for run in runs]
    return costs_filled(records.cost[rows], averaged(costs, places, len(rows)))


def _cheapest(arm_cost: Floats | None, arm_quality: Floats, runs: Sequence[Run]) -> int:
    if arm_cost is None:
        return int(runs[0].train_quality.argmin())
    return int(cheapest_of(arm_cost[None], arm_quality[None])[0])


def _ends(single: AveragedRows, alone: Floats, low_cost: float, resamples: Resamples) -> Ends:
    lead = single.quality - alone
    return Ends(
        low_cost=low_cost,
        low_quality=resamples.mean(alone),
        high_cost=0.0 if single.cost is None else resamples.mean(single.cost),
        high_quality=resamples.mean(single.quality),
        clear=resamples.mean(lead) > 2.0 * resamples.standard_error(lead),
    )


def _weighted_means(quality: Floats, weights: Floats) -> Floats:
    """Column means of what is there, shape (m,); NaN for a column with nothing."""
    present = ~np.isnan(quality)
    total = weights @ present
    held = weights @ np.where(present, quality, 0.0)
    return np.where(total > 0.0, held / np.where(total > 0.0, total, 1.0), np.nan)
