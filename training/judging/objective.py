"""What settings and the winner are chosen by: one figure of estimates on the select rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.judging.cost_curve import sweep
from hybridroute.training.judging.folds import Fold
from hybridroute.training.judging.paired import Average, row_weights
from hybridroute.training.judging.records import Records, costs_filled
from hybridroute.training.judging.tie_breaking import at_choices, choices
from hybridroute.training.pool.estimator import EstimateKind
from hybridroute.training.pool.hull import hull_of

Floats = NDArray[np.float64]
Objective = Literal["quality", "aiq"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SelectRows:
    """The select rows of one fold, shape (n, m) each; no judged row is among them.

    Parameters
    ----------
    quality : ndarray
        NaN where missing.
    cost, expected : ndarray or None
        Given: the figure is AIQ, quality for cost. Else it is mean quality alone.
    weights : ndarray, shape (n,)
        Sum to 1.
    """

    quality: Floats
    cost: Floats | None
    expected: Floats | None
    weights: Floats
    seed: int

    @property
    def objective(self) -> Objective:
        """What :meth:`value` is."""
        return "quality" if self.cost is None else "aiq"

    def value(self, estimates: Floats, kind: EstimateKind) -> float:
        """AIQ over the range from the cheapest to the dearest arm's mean cost here, or mean
        quality."""
        if self.cost is None or self.expected is None:
            chosen = choices(estimates, ~np.isnan(self.quality), seed=self.seed)
            return float(self.weights @ at_choices(self.quality, chosen))
        arm_cost = self.weights @ self.cost
        held = sweep(
            estimates,
            kind,
            expected=self.expected,
            quality=self.quality,
            cost=self.cost,
            seed=self.seed,
        )
        cheapest = int(arm_cost.argmin())
        present = ~np.isnan(self.quality[:, cheapest])
        alone = float(
            np.average(self.quality[present, cheapest], weights=self.weights[present])
            if present.any()
            else held.quality[:, -1].mean()
        )
        hull = hull_of(
            np.append(self.weights @ held.cost, arm_cost[cheapest]),
            np.append(self.weights @ held.quality, alone),
        )
        found = hull.aiq(float(arm_cost.min()), float(arm_cost.max()))
        return float(hull.quality[-1]) if found is None else found


def select_rows(
    records: Records, fold: Fold, *, average: Average, objective: Objective | None
) -> SelectRows:
    """Of a fold. ``objective`` None is AIQ where arms differ in cost, else quality."""
    rows = fold.select
    cost = expected = None
    if records.cost is not None and objective != "quality":
        foreseen = records.expected_cost(fold.fit).of(records.characters[rows])
        filled = costs_filled(records.cost[rows], foreseen)
        if np.ptp(filled.mean(axis=0)) > 0.0:
            cost, expected = filled, foreseen
    return SelectRows(
        quality=records.table.quality[rows],
        cost=cost,
        expected=expected,
        weights=row_weights([records.table.domains[row] for row in rows], average),
        seed=fold.seed,
    )
