"""Playing the rounds: every estimator fitted and chosen on the same rows, one round a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, HybridRouteError
from hybridroute.training.judging.folds import Fold, HeldOut
from hybridroute.training.judging.paired import Average
from hybridroute.training.judging.records import Records
from hybridroute.training.judging.run import Routed, Run, arm_means, routed
from hybridroute.training.judging.tuning import Contender, Tuned, tuned
from hybridroute.training.pool.estimator import FittedEstimator, Queries
from hybridroute.training.pool.expected_cost import ExpectedCost

Floats = NDArray[np.float64]
Timer = Callable[[FittedEstimator], tuple[float, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to compare.

    Parameters
    ----------
    held_out, seeds
        As in :func:`folds_of`.
    average : {"rows", "domains"}
    reference : float or None
        A strong model's mean quality on these rows, for V_R.
    timer : callable or None
        p50 and p95 in milliseconds of routing one query with a fitted estimator.
    """

    held_out: HeldOut
    seeds: int = 5
    average: Average = "rows"
    reference: float | None = None
    resamples: int = 1000
    seed: int = 0
    timer: Timer | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Field:
    """What is known of each estimator after the runs."""

    tuned: dict[str, list[Tuned]]
    parts: dict[str, list[Routed]]
    estimates: dict[str, list[Floats]]
    notes: list[str]


def run_of(records: Records, fold: Fold, plan: Plan) -> Run:
    train, test = fold.train, fold.test
    cost = expected = None
    if records.cost is not None:
        learnt = ExpectedCost.fit(records.characters[train], records.cost[train])
        cost, expected = records.cost[test], learnt.of(records.characters[test])
    return Run(
        fold=fold,
        quality=records.table.quality[test],
        cost=cost,
        expected=expected,
        train_quality=arm_means(records, train, over_domains=plan.average == "domains"),
        train_cost=None if records.cost is None else records.cost[train].mean(axis=0),
    )


def played(
    records: Records,
    queries: Queries,
    contenders: Sequence[Contender],
    *,
    plan: Plan,
    runs: Sequence[Run],
    on_step: Callable[[str], None],
) -> Field:
    """Every contender in every run. One that cannot be fitted is left out, with a note."""
    field = Field(tuned={}, parts={}, estimates={}, notes=[])
    for one in contenders:
        held: list[Tuned] = []
        parts: list[Routed] = []
        estimates: list[Floats] = []
        try:
            for run in runs:
                on_step(f"{one.name}, run {run.fold.seed + 1} of {len(runs)}")
                fit = tuned(one, records, queries, run.fold, average=plan.average)
                mean = fit.fitted.estimate(queries.select(run.fold.test)).mean
                parts.append(routed(mean, run, kind=fit.fitted.kind))
                held.append(fit)
                estimates.append(mean)
        except HybridRouteError as exc:
            field.notes.append(f"{one.name} is left out: {exc}")
            continue
        field.tuned[one.name], field.parts[one.name] = held, parts
        field.estimates[one.name] = estimates
    if not field.tuned:
        raise ConfigError("no estimator could be fitted. " + "; ".join(field.notes))
    return field
