"""The whole protocol: every router fitted, chosen and judged on the same rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.judging.baselines import (
    arm_at_cost,
    best_per_domain,
    best_single,
    chance,
    half_oracle,
    oracle,
    zero_router,
)
from hybridroute.training.judging.comparison import ArmFacts, Comparison, Protocol
from hybridroute.training.judging.entry import Difference, Entry, Role, TwoArms
from hybridroute.training.judging.estimate_figures import calibration_of, two_arms_of
from hybridroute.training.judging.figures import Scale, difference_of, entry_of
from hybridroute.training.judging.folds import Fold, folds_of
from hybridroute.training.judging.paired import resamples_of
from hybridroute.training.judging.published import published_for
from hybridroute.training.judging.records import Records
from hybridroute.training.judging.rounds import Field, Plan, played, run_of
from hybridroute.training.judging.run import Routed, Run, present_means
from hybridroute.training.judging.scaling import ScalingUp, scaling_up
from hybridroute.training.judging.standing import Standing, averaged, judged_rows, standing_of
from hybridroute.training.judging.tuning import TRIES, Contender, best_on_select
from hybridroute.training.pool.estimator import Queries

Floats = NDArray[np.float64]
BEST_SINGLE, EQUAL_COST, ZERO = "best single", "one arm at equal cost", "Zero"


def compare(
    records: Records,
    queries: Queries,
    contenders: Sequence[Contender],
    plan: Plan,
    *,
    on_step: Callable[[str], None] | None = None,
) -> Comparison:
    """Judge every contender beside the baselines.

    Parameters
    ----------
    queries : Queries
        Of all rows of the records, in their order.
    on_step : callable or None
        Told what is being fitted.

    Raises
    ------
    ConfigError
        If two contenders have one name, or none can be fitted.
    DataError
        If the rows cannot be cut into parts, or averaged over domains they lack.
    """
    names = [one.name for one in contenders]
    if not names or len(set(names)) != len(names):
        raise ConfigError(f"the estimators are {names}; give one or more different ones")
    folds = folds_of(records.table, held_out=plan.held_out, seeds=plan.seeds, test=records.test)
    runs = [run_of(records, fold, plan) for fold in folds]
    field = played(records, queries, contenders, plan=plan, runs=runs, on_step=on_step or _untold)
    winner = best_on_select(field.tuned)
    scale = _scale(records, plan, runs)
    standings = {name: standing_of(parts, folds) for name, parts in field.parts.items()}
    estimators = [
        _estimator_entry(
            name, standings[name], field, runs=runs, records=records, plan=plan, scale=scale
        )
        for name in standings
    ]
    others = _baselines(records, runs, standings[winner], scale)
    standings |= {name: held for name, (_, held) in others.items()}
    baselines = [entry_of(name, role, held, scale) for name, (role, held) in others.items()]
    if EQUAL_COST in others:
        estimators = [_beside_equal_cost(one, standings, scale) for one in estimators]
    return Comparison(
        winner=winner,
        protocol=_protocol(records, plan, runs, scale, field.notes),
        arms=_arm_facts(records, runs, scale),
        estimators=tuple(sorted(estimators, key=lambda one: -one.quality)),
        baselines=tuple(sorted(baselines, key=lambda one: -one.quality)),
        differences=_differences(standings, scale),
        scaling_up=_scaling(records, folds, scale),
        published=published_for({str(name) for name in scale.domains}, records.table.arms),
    )


def _untold(text: str) -> None:
    """Told of a step, it does nothing."""


def _scale(records: Records, plan: Plan, runs: Sequence[Run]) -> Scale:
    folds = [run.fold for run in runs]
    rows = judged_rows(folds)
    domains = tuple(records.table.domains[row] for row in rows)
    resamples = resamples_of(
        domains,
        average=plan.average,
        held_out_domains=plan.held_out == "domains",
        resamples=plan.resamples,
        seed=plan.seed,
    )
    quality = records.table.quality[rows]
    return Scale(
        arms=records.table.arms,
        domains=domains,
        resamples=resamples,
        chance=standing_of([chance(run) for run in runs], folds),
        oracle=standing_of([oracle(run) for run in runs], folds),
        best_single=standing_of([best_single(run) for run in runs], folds),
        reference=plan.reference,
        arm_cost=None if records.cost is None else resamples.base @ records.cost[rows],
        arm_quality=_weighted_means(quality, resamples.base),
    )


def _weighted_means(quality: Floats, weights: Floats) -> Floats:
    """Column means of what is there, shape (m,); NaN for a column with nothing."""
    present = ~np.isnan(quality)
    total = weights @ present
    held = weights @ np.where(present, quality, 0.0)
    return np.where(total > 0.0, held / np.where(total > 0.0, total, 1.0), np.nan)


def _estimator_entry(
    name: str,
    held: Standing,
    field: Field,
    *,
    runs: Sequence[Run],
    records: Records,
    plan: Plan,
    scale: Scale,
) -> Entry:
    fits = field.tuned[name]
    fitted = fits[-1].fitted
    known = None
    if fitted.kind == "quality":
        known = calibration_of(field.estimates[name], [run.quality for run in runs])
    took = plan.timer(fitted) if plan.timer is not None else (None, None)
    entry = entry_of(name, "estimator", held, scale)
    if len(records.table.arms) == 2:
        entry = replace(entry, two_arms=_two_arms(field.estimates[name], runs, records, plan))
    return replace(
        entry,
        kind=fitted.kind,
        setting=tuple(one.setting for one in fits),
        ece=None if known is None else known.ece,
        brier=None if known is None else known.brier,
        fit_s=statistics.median(one.fit_s for one in fits),
        tune_s=statistics.median(one.tune_s for one in fits),
        route_ms=took[0],
        route_ms_p95=took[1],
        select_quality=statistics.fmean(one.select_quality for one in fits),
    )


def _two_arms(
    estimates: Sequence[Floats], runs: Sequence[Run], records: Records, plan: Plan
) -> TwoArms:
    """The cheaper arm is the edge; without costs, the one of lower quality."""
    folds = [run.fold for run in runs]
    rows = judged_rows(folds)
    places = [np.searchsorted(rows, fold.test) for fold in folds]
    by = runs[0].train_quality if runs[0].train_cost is None else runs[0].train_cost
    edge = int(by.argmin())
    cloud = 1 - edge
    scores = averaged([held[:, edge] - held[:, cloud] for held in estimates], places, len(rows))
    table = records.table
    domains = None
    if plan.held_out == "domains":
        domains = [table.domains[row] for row in rows]
    return two_arms_of(
        scores,
        table.quality[rows][:, [edge, cloud]],
        (table.arms[edge], table.arms[cloud]),
        domains=domains,
        seed=plan.seed,
    )


def _baselines(
    records: Records, runs: Sequence[Run], leader: Standing, scale: Scale
) -> dict[str, tuple[Role, Standing]]:
    """Those that need no estimator; Zero and the one arm cost what the winner costs."""
    folds = [run.fold for run in runs]
    ways: dict[str, tuple[Role, Callable[[Run], Routed]]] = {
        "chance": ("baseline", chance),
        BEST_SINGLE: ("baseline", best_single),
        "r_o(.5)": ("bound", half_oracle),
        "oracle": ("bound", oracle),
    }
    if None not in records.table.domains:
        ways["best per domain"] = ("baseline", lambda run: best_per_domain(run, records))
    if leader.cost is not None:
        budget = scale.resamples.mean(leader.cost)
        ways[EQUAL_COST] = ("baseline", lambda run: arm_at_cost(run, budget))
        ways[ZERO] = ("baseline", lambda run: zero_router(run, budget))
    return {
        name: (role, standing_of([way(run) for run in runs], folds))
        for name, (role, way) in ways.items()
    }


def _beside_equal_cost(entry: Entry, standings: dict[str, Standing], scale: Scale) -> Entry:
    found = difference_of(
        entry.name, standings[entry.name], EQUAL_COST, standings[EQUAL_COST], scale.resamples
    )
    return replace(entry, over_equal_cost_arm=found)


def _differences(standings: dict[str, Standing], scale: Scale) -> tuple[Difference, ...]:
    """Of every pair, each once."""
    names = list(standings)
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    found = (difference_of(a, standings[a], b, standings[b], scale.resamples) for a, b in pairs)
    return tuple(one for one in found if one is not None)


def _scaling(records: Records, folds: Sequence[Fold], scale: Scale) -> ScalingUp | None:
    quality = records.table.quality[judged_rows(folds)]
    if np.isnan(quality).any(axis=1).all():
        return None
    return scaling_up(quality, scale.resamples.base)


def _arm_facts(records: Records, runs: Sequence[Run], scale: Scale) -> tuple[ArmFacts, ...]:
    rows = judged_rows([run.fold for run in runs])
    missing = np.isnan(records.table.quality[rows]).sum(axis=0)
    train = present_means(np.where(np.isinf(_trained(runs)), np.nan, _trained(runs)))
    return tuple(
        ArmFacts(
            name=name,
            quality=_finite(scale.arm_quality[at]),
            cost=None if scale.arm_cost is None else float(scale.arm_cost[at]),
            missing=int(missing[at]),
            train_quality=_finite(train[at]),
        )
        for at, name in enumerate(records.table.arms)
    )


def _trained(runs: Sequence[Run]) -> Floats:
    return np.stack([run.train_quality for run in runs])


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _protocol(
    records: Records, plan: Plan, runs: Sequence[Run], scale: Scale, notes: Sequence[str]
) -> Protocol:
    rows = judged_rows([run.fold for run in runs])
    ends = scale.ends()
    whole = ~np.isnan(records.table.quality[rows]).any(axis=1)
    return Protocol(
        source=records.table.source,
        held_out=plan.held_out,
        runs=len(runs),
        train_rows=len(runs[0].fold.train),
        judged_rows=len(rows),
        duplicates=records.duplicates,
        conflicts=records.conflicts,
        rows_in_both=records.rows_in_both,
        average=plan.average,
        tries=TRIES,
        resamples=len(scale.resamples.drawn),
        resampled=scale.resamples.resampled,
        no_cost=records.no_cost,
        cost_range=scale.cost_range,
        cpt_undefined=None if ends is None else ends.undefined(),
        scaling_rows=int(whole.sum()),
        notes=tuple(notes),
    )
