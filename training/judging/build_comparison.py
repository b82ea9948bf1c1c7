"""From routers' judged rows to the comparison: the rows that always stand, and every difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.judging.all_runs import Field, Plan, Played
from hybridroute.training.judging.averaged_rows import (
    AveragedRows,
    RowAverager,
    averaged,
    judged_rows,
)
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
from hybridroute.training.judging.comparison_row import ComparisonRow, Difference, Role, TwoArms
from hybridroute.training.judging.estimate_figures import calibration_of, two_arms_of
from hybridroute.training.judging.figures import aiq_difference, comparison_row_of, difference_of
from hybridroute.training.judging.model_scaling import ScalingUp, scaling_up
from hybridroute.training.judging.one_run import Routed, Run, present_means, served_quality
from hybridroute.training.judging.published import published_for
from hybridroute.training.judging.records import Records
from hybridroute.training.judging.setting_search import TRIES
from hybridroute.training.judging.yardstick import Yardstick, yardstick_of
from hybridroute.training.out_of_scope import ROUTER_DECIDES

Floats = NDArray[np.float64]
BEST_SINGLE, EQUAL_COST, ZERO = "best single", "one arm at equal cost", "Zero"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Judged:
    """The rows that all routers are judged on."""

    records: Records
    plan: Plan
    runs: Sequence[Run]
    average: RowAverager
    yardstick: Yardstick


def build_comparison(
    records: Records, plan: Plan, runs: Sequence[Run], field: Field, winner: Played
) -> Comparison:
    """Every figure of every router that was played, beside the baselines."""
    average = RowAverager([run.fold for run in runs], records.table.domains, plan.average)
    yardstick = yardstick_of(records, plan, runs, average)
    rows = _Judged(records=records, plan=plan, runs=runs, average=average, yardstick=yardstick)
    held = {one.name: average(one.parts) for one in field.played}
    parts = _baselines(rows, winner)
    others = {name: (role, average(one)) for name, (role, one) in parts.items()}
    entries = [_played_row(one, held[one.name], rows) for one in field.played]
    if ZERO in others:
        entries = [
            _beside_money(one, entry, (held[one.name], others[ZERO][1]), rows)
            for one, entry in zip(field.played, entries, strict=True)
        ]
    asked = {one.name for one in field.played if one.competes}
    beside = [one for one in entries if one.name not in asked]
    beside += [
        replace(
            comparison_row_of(name, role, one, yardstick),
            served_quality=_served(parts[name][1], rows),
        )
        for name, (role, one) in others.items()
    ]
    every = held | {name: one for name, (_, one) in others.items()}
    return Comparison(
        winner=winner.name,
        protocol=_protocol(rows, field.notes),
        arms=_arm_facts(rows),
        estimators=_ranked([one for one in entries if one.name in asked]),
        baselines=_ranked(beside),
        differences=_differences(every, yardstick),
        scaling_up=_scaling(rows),
        published=published_for({str(name) for name in yardstick.domains}, records.table.arms),
    )


def _ranked(entries: Iterable[ComparisonRow]) -> tuple[ComparisonRow, ...]:
    return tuple(sorted(entries, key=lambda one: -one.quality))


def _played_row(one: Played, held: AveragedRows, rows: _Judged) -> ComparisonRow:
    known = None
    if one.kind == "quality":
        known = calibration_of(one.estimates, [_estimated(one, run) for run in rows.runs])
    entry = comparison_row_of(
        one.name, "estimator" if one.competes else "baseline", held, rows.yardstick
    )
    return replace(
        entry,
        kind=one.kind,
        setting=one.setting,
        two_arms=_two_arms(one, rows) if len(rows.yardstick.arms) == 2 else None,
        ece=None if known is None else known.ece,
        brier=None if known is None else known.brier,
        fit_s=one.fit_s,
        tune_s=one.tune_s,
        route_ms=None if one.route_ms is None else one.route_ms[0],
        route_ms_p95=None if one.route_ms is None else one.route_ms[1],
        select_value=one.select_value,
        served_quality=_served(one.parts, rows),
    )


def _estimated(one: Played, run: Run) -> Floats:
    """Outcomes that estimates are held to, (n, m), NaN where none is: not what nothing looks at."""
    if not one.as_served or run.out_of_scope_arm is None:
        return run.quality
    return np.where((run.out_of_scope_arm == ROUTER_DECIDES)[:, None], run.quality, np.nan)


def _served(parts: Sequence[Routed], rows: _Judged) -> float | None:
    """Mean quality where what the router cannot read goes to its out-of-scope arm."""
    runs = zip(parts, rows.runs, strict=True)
    held = [quality for part, run in runs if (quality := served_quality(part, run)) is not None]
    if len(held) < len(rows.runs):
        return None
    return rows.yardstick.resamples.mean(rows.average.each_row(held))


def _two_arms(one: Played, judged: _Judged) -> TwoArms:
    """The cheaper arm is the edge; without costs, the one of lower quality.

    Where every run judges the same rows, the first run's router is judged: a mean of several fits'
    scores would be another router than any that can be shipped.
    """
    edge, table = judged.yardstick.cheapest, judged.records.table
    plan = judged.plan
    first = judged.runs[:1] if plan.held_out == "given" else judged.runs
    rows = judged_rows([run.fold for run in first])
    places = [np.searchsorted(rows, run.fold.test) for run in first]
    gaps = [_gap(one, at, run, edge) for at, run in enumerate(first)]
    domains = None
    if plan.held_out == "domains":
        domains = [table.domains[row] for row in rows]
    return two_arms_of(
        averaged(gaps, places, len(rows)),
        table.quality[rows][:, [edge, 1 - edge]],
        (table.arms[edge], table.arms[1 - edge]),
        domains=domains,
        seed=plan.seed,
    )


def _gap(one: Played, at: int, run: Run, edge: int) -> Floats:
    """Of two arms: the edge's estimate minus the other's, (n,), in the run at this place.

    As it is served, a row out of scope comes before all others, or after them: no threshold moves
    it.
    """
    held = one.estimates[at].astype(np.float64)
    gap = held[:, edge] - held[:, 1 - edge]
    fixed = run.out_of_scope_arm
    if not one.as_served or fixed is None:
        return gap
    ends = np.where(fixed == edge, gap.max() + 1.0, gap.min() - 1.0)
    return np.where(fixed == ROUTER_DECIDES, gap, ends)


def _budgets(parts: Sequence[Routed]) -> list[float]:
    """Mean cost of a router in each run."""
    return [float(part.cost.mean()) for part in parts if part.cost is not None]


def _baselines(rows: _Judged, winner: Played) -> Mapping[str, tuple[Role, list[Routed]]]:
    """Those that need no estimator; Zero and the one arm cost what the winner costs."""
    ways: dict[str, tuple[Role, Callable[[Run], Routed]]] = {
        "chance": ("baseline", chance),
        BEST_SINGLE: ("baseline", best_single),
        "r_o(.5)": ("bound", half_oracle),
        "oracle": ("bound", oracle),
    }
    trained = all(len(run.fold.train) for run in rows.runs)
    if trained and None not in rows.records.table.domains:
        ways["best per domain"] = ("baseline", lambda run: best_per_domain(run, rows.records))
    runs = rows.runs
    found = {name: (role, [way(run) for run in runs]) for name, (role, way) in ways.items()}
    budgets = _budgets(winner.parts)
    if len(budgets) == len(runs):
        spent = list(zip(runs, budgets, strict=True))
        found[EQUAL_COST] = "baseline", [arm_at_cost(run, most) for run, most in spent]
        found[ZERO] = "baseline", [zero_router(run, most) for run, most in spent]
    return found


def _beside_money(
    one: Played, entry: ComparisonRow, held: tuple[AveragedRows, AveragedRows], rows: _Judged
) -> ComparisonRow:
    """Beside one arm of its own cost, and beside the hull of the single arms."""
    mine, zero = held
    spent = zip(rows.runs, _budgets(one.parts), strict=True)
    equal = rows.average([arm_at_cost(run, most) for run, most in spent])
    return replace(
        entry,
        over_equal_cost_arm=difference_of(
            one.name, mine, EQUAL_COST, equal, rows.yardstick.resamples
        ),
        aiq_over_zero=aiq_difference(one.name, mine, ZERO, zero, rows.yardstick),
    )


def _differences(every: Mapping[str, AveragedRows], yardstick: Yardstick) -> tuple[Difference, ...]:
    """Of the quality of every pair, each once."""
    names = list(every)
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]]
    found = (difference_of(a, every[a], b, every[b], yardstick.resamples) for a, b in pairs)
    return tuple(one for one in found if one is not None)


def _scaling(judged: _Judged) -> ScalingUp | None:
    quality = judged.records.table.quality[judged_rows(judged.average.folds)]
    if np.isnan(quality).any(axis=1).all():
        return None
    return scaling_up(quality, judged.yardstick.resamples.base)


def _arm_facts(judged: _Judged) -> tuple[ArmFacts, ...]:
    records, yardstick = judged.records, judged.yardstick
    rows = judged_rows(judged.average.folds)
    missing = np.isnan(records.table.quality[rows]).sum(axis=0)
    trained = np.stack([run.train_quality for run in judged.runs])
    train = present_means(np.where(np.isinf(trained), np.nan, trained))
    return tuple(
        ArmFacts(
            name=name,
            quality=_finite(yardstick.arm_quality[at]),
            cost=None if yardstick.arm_cost is None else float(yardstick.arm_cost[at]),
            missing=int(missing[at]),
            train_quality=_finite(train[at]),
        )
        for at, name in enumerate(records.table.arms)
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _protocol(judged: _Judged, notes: Sequence[str]) -> Protocol:
    records, plan, runs, yardstick = judged.records, judged.plan, judged.runs, judged.yardstick
    rows = judged_rows(judged.average.folds)
    whole, scope = ~np.isnan(records.table.quality[rows]).any(axis=1), plan.scope
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
        objective=plan.objective or ("quality" if yardstick.cost_range is None else "aiq"),
        tries=TRIES,
        resamples=len(yardstick.resamples.drawn),
        resampled=yardstick.resamples.resampled,
        no_cost=records.no_cost,
        cost_range=yardstick.cost_range,
        cpt_undefined=yardstick.cpt_undefined,
        scaling_rows=int(whole.sum()),
        notes=tuple(notes),
        n_out_of_scope=None if scope is None else int(scope.outside[rows].sum()),
        unknown_token_limit=None if scope is None else scope.limit,
    )
