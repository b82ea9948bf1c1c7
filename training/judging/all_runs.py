"""All runs: every estimator fitted and chosen on the same rows, one run a seed."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, HybridRouteError
from hybridroute.training.judging.folds import Fold, HeldOut
from hybridroute.training.judging.objective import Objective, select_rows
from hybridroute.training.judging.one_run import Routed, Run, arm_means, routed
from hybridroute.training.judging.paired import Average
from hybridroute.training.judging.records import Records, costs_filled
from hybridroute.training.judging.setting_search import Contender, Tuned, tuned
from hybridroute.training.out_of_scope import Scope, standing_in
from hybridroute.training.pool.estimator import EstimateKind, Estimator, FittedEstimator, Queries

Floats = NDArray[np.float64]
Timer = Callable[[FittedEstimator], tuple[float, float]]
_BLIND = "random"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to compare.

    Parameters
    ----------
    held_out, seeds
        As in :func:`folds_of`.
    average : {"rows", "domains"}
    objective : {"quality", "aiq"} or None
        What settings and the winner are chosen by; None is AIQ where arms differ in cost.
    reference : float or None
        A strong model's mean quality on these rows, for V_R.
    timer : callable or None
        p50 and p95 in milliseconds of routing one query with a fitted estimator.
    scope : Scope or None
        Which rows of the records a router cannot read; None where there are no texts to read.
    """

    held_out: HeldOut
    seeds: int = 5
    average: Average = "rows"
    objective: Objective | None = None
    reference: float | None = None
    resamples: int = 1000
    seed: int = 0
    timer: Timer | None = None
    scope: Scope | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Played:
    """What is known of one router after the runs; its fits are gone.

    Parameters
    ----------
    parts : tuple of Routed
        Of each run.
    estimates : tuple of ndarray of float32, shape (n, m)
        Of the judged rows of each run.
    setting : tuple of str
        What the select rows chose, one a run.
    estimator : Estimator or None
        With the settings chosen most often, not fitted; None for a router made before.
    competes : bool
        Whether it may win.
    as_served : bool
        Whether its figures are those of a bundle, whose out-of-scope arm answers what the router
        cannot read; else they are of the estimates alone.
    """

    name: str
    kind: EstimateKind
    parts: tuple[Routed, ...]
    estimates: tuple[NDArray[np.float32], ...]
    setting: tuple[str, ...] = ()
    estimator: Estimator | None = None
    select_value: float | None = None
    fit_s: float | None = None
    tune_s: float | None = None
    route_ms: tuple[float, float] | None = None
    competes: bool = True
    as_served: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Field:
    """The routers that were played, and why others were not."""

    played: tuple[Played, ...]
    notes: tuple[str, ...]

    def winner(self) -> Played:
        """The largest mean figure on select rows: no judged row has a say.

        Of equals, one whose estimates are qualities, which can be weighed against money later on;
        a blind choice last.
        """
        return max(
            (one for one in self.played if one.competes),
            key=lambda one: (
                round(one.select_value or 0.0, 12),
                one.kind == "quality",
                one.name != _BLIND,
            ),
        )


def run_of(records: Records, fold: Fold, plan: Plan) -> Run:
    """What a fold's judged rows are, and what its rows to train on say of the arms."""
    train, test = fold.train, fold.test
    cost = expected = None
    if records.cost is not None:
        expected = records.expected_cost(train).of(records.characters[test])
        cost = costs_filled(records.cost[test], expected)
    quality = records.table.quality[test]
    means = arm_means(records, train, over_domains=plan.average == "domains")
    served_by = None
    if plan.scope is not None:
        served_by = standing_in(plan.scope.outside[test], ~np.isnan(quality), means)
    return Run(
        fold=fold,
        quality=quality,
        cost=cost,
        expected=expected,
        train_quality=means,
        out_of_scope_arm=served_by,
    )


def played(
    records: Records,
    queries: Queries,
    contenders: Sequence[Contender],
    *,
    standing: Sequence[Contender],
    plan: Plan,
    runs: Sequence[Run],
    on_step: Callable[[str], None],
) -> Field:
    """Every contender in every run, and those that only stand beside them.

    One that cannot be fitted is left out, with a note.

    Raises
    ------
    ConfigError
        If no contender can be fitted.
    """
    chosen_on = [
        select_rows(records, run.fold, average=plan.average, objective=plan.objective)
        for run in runs
    ]
    found, notes = [], []
    for one in (*contenders, *standing):
        try:
            held = _Runs([], [], [])
            for number, (run, rows) in enumerate(zip(runs, chosen_on, strict=True), 1):
                on_step(f"{one.name}, run {number} of {len(runs)}")
                timer = plan.timer if number == len(runs) else None
                held.add(tuned(one, records, queries, run.fold, rows), queries, run, timer)
        except HybridRouteError as exc:
            notes.append(f"{one.name} is left out: {exc}")
            continue
        found.append(_closed(one.name, held, competes=one in contenders))
    if not any(one.competes for one in found):
        raise ConfigError("no estimator could be fitted. " + "; ".join(notes))
    return Field(played=tuple(found), notes=tuple(notes))


@dataclass(slots=True, eq=False)
class _Runs:
    """One contender's runs so far. A fit is dropped when its rows are judged: a large pool's weigh
    much."""

    fits: list[tuple[str, Estimator, float, float, float]]
    parts: list[Routed]
    estimates: list[NDArray[np.float32]]
    kind: EstimateKind = "quality"
    route_ms: tuple[float, float] | None = None

    def add(self, fit: Tuned, queries: Queries, run: Run, timer: Timer | None) -> None:
        """Judge the fold's rows; with a timer, time the routing of one, too."""
        mean = fit.fitted.estimate(queries.select(run.fold.test)).mean
        self.kind = fit.fitted.kind
        self.parts.append(routed(mean, run, kind=self.kind))
        self.estimates.append(mean.astype(np.float32))
        self.fits.append((fit.setting, fit.estimator, fit.select_value, fit.fit_s, fit.tune_s))
        if timer is not None:
            self.route_ms = timer(fit.fitted)


def _closed(name: str, held: _Runs, *, competes: bool) -> Played:
    settings, estimators, values, fits, tunes = zip(*held.fits, strict=True)
    usual = Counter(settings).most_common(1)[0][0]
    return Played(
        name=name,
        kind=held.kind,
        parts=tuple(held.parts),
        estimates=tuple(held.estimates),
        setting=settings,
        estimator=estimators[settings.index(usual)],
        select_value=statistics.fmean(values),
        fit_s=statistics.median(fits),
        tune_s=statistics.median(tunes),
        route_ms=held.route_ms,
        competes=competes,
    )
