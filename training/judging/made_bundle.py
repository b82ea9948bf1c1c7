"""A pool's bundle, made before, judged on outcomes by the figures of a comparison.

It is judged as it is served: rows that its router cannot read are its best single arm's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.grid import grid_up
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.pool import Pool
from hybridroute.training.judging.all_runs import Field, Plan, Played
from hybridroute.training.judging.build_comparison import build_comparison
from hybridroute.training.judging.comparison import Comparison
from hybridroute.training.judging.folds import Fold
from hybridroute.training.judging.latency import timed
from hybridroute.training.judging.one_run import Run, routed
from hybridroute.training.judging.records import Records, costs_filled, records_of
from hybridroute.training.judging.tie_breaking import at_choices, choices
from hybridroute.training.out_of_scope import Scope, answered, out_of_scope_ranking, standing_in
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pool.estimator import EstimateKind
from hybridroute.training.pool.new_bundle import FITTED_QUALITY
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.rows_seen import count_seen_in_calibration, seen_in_training

Floats = NDArray[np.float64]
DIALS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
NAME = "this router"


@dataclass(frozen=True, slots=True, kw_only=True)
class DialRow:
    """A setting of the dial: what the bundle expects, and what these rows gave."""

    dial: float
    expected_quality: float
    quality: float
    expected_usd: float
    usd: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedPool:
    """What was found.

    Parameters
    ----------
    found : Comparison
        The router is its one estimator.
    n_seen_in_training : int
        Rows whose prompt the router was fitted or selected on. They are left out, unless all are.
    n_seen_in_calibration : int or None
        Judged rows that set the bundle's tables; None where it does not store them.
    arms_ranked_on : str
        ``fitted rows``, or ``calibration rows`` where the bundle holds no means of the former: on
        these each arm's mean was taken that says which single arm is best.
    dials : tuple of DialRow
        () where the bundle's dial has nothing to turn.
    """

    found: Comparison
    n_seen_in_training: int
    n_seen_in_calibration: int | None
    arms_ranked_on: str
    dials: tuple[DialRow, ...]

    def to_dict(self) -> dict[str, Any]:
        """A JSON object."""
        held = self.found
        entry = held.row(NAME)
        return {
            "n": held.protocol.judged_rows,
            "n_out_of_scope": held.protocol.n_out_of_scope,
            "n_seen_in_training": self.n_seen_in_training,
            "n_seen_in_calibration": self.n_seen_in_calibration,
            "arms_ranked_on": self.arms_ranked_on,
            "quality": entry.quality,
            "ci95": list(entry.ci95),
            "dials": [plain(row) for row in self.dials],
            **held.to_dict(),
        }


def judge_pool(
    bundle: Bundle, outcomes: OutcomeTable, *, reference: float | None = None, threads: int = 2
) -> JudgedPool:
    """Judge a pool's exported router.

    Parameters
    ----------
    reference : float or None
        A strong model's mean quality, for V_R.

    Raises
    ------
    DataError
        If an arm of the pool has no outcome, or fewer than two rows can be judged.
    """
    pool = bundle.manifest.pool
    if pool is None:
        raise DataError(f"the bundle at {bundle.path} is of two arms and a threshold")
    names = tuple(arm.name for arm in pool.arms)
    rows = outcomes.deduplicated()
    seen = seen_in_training(bundle.manifest, rows.table)
    notes = [f"{seen.sum()} rows were seen in training and are left out"] if seen.any() else []
    if seen.all():
        notes = ["every row was seen in training: these figures are of a router that knew them"]
    kept = rows.table if seen.all() else rows.table.select(~seen)
    records = records_of(ScoreTable.of(kept, names))
    if len(records.table) < 2:
        raise DataError(f"{len(records.table)} row can be judged; give at least 2")
    expected = np.array(
        [[arm.cost_usd(int(size)) for arm in pool.arms] for size in records.characters]
    )
    if records.cost is None and np.ptp(expected) > 0.0:
        notes.append(f"costs are those that the bundle expects: {records.no_cost}")
        records = replace(records, cost=expected, no_cost=None)
    records = replace(records, duplicates=rows.duplicates, conflicts=rows.conflicts)
    ranking, ranked_on = _ranking(bundle.manifest, pool)
    notes.append(f"single arms are ranked by their mean quality on the bundle's {ranked_on}")
    scorer, limit = bundle.scorer(threads=threads), bundle.manifest.unknown_token_limit
    scope = Scope.of(scorer, records.table.texts, limit=limit)
    run = _run(records, ranking, expected, served_by=_served_by(scope, records, pool))
    router = _router(bundle, scorer, records, run)
    plan = Plan(held_out="given", seeds=1, reference=reference, scope=scope)
    field = Field(played=(router,), notes=tuple(notes))
    return JudgedPool(
        found=build_comparison(records, plan, [run], field, router),
        n_seen_in_training=int(seen.sum()),
        n_seen_in_calibration=count_seen_in_calibration(bundle.manifest, kept),
        arms_ranked_on=ranked_on,
        dials=() if pool.flat else _dials(pool, router.estimates[0], run, expected),
    )


def _ranking(manifest: Manifest, pool: Pool) -> tuple[Floats, str]:
    """Each arm's mean quality before these rows were seen, shape (m,), and on which rows it was."""
    held = manifest.training.get(FITTED_QUALITY)
    if isinstance(held, Mapping):
        means = [held.get(arm.name) for arm in pool.arms]
        if all(isinstance(mean, (int, float)) for mean in means):
            return np.array(means, dtype=np.float64), "fitted rows"
    return np.array([arm.quality for arm in pool.arms]), "calibration rows"


def _served_by(scope: Scope, records: Records, pool: Pool) -> NDArray[np.intp]:
    present = ~np.isnan(records.table.quality)
    return standing_in(scope.outside, present, out_of_scope_ranking(pool))


def _run(
    records: Records, ranking: Floats, expected: Floats, *, served_by: NDArray[np.intp]
) -> Run:
    every = np.arange(len(records.table), dtype=np.intp)
    none = np.empty(0, dtype=np.intp)
    return Run(
        fold=Fold(seed=0, fit=none, select=none, test=every),
        quality=records.table.quality,
        cost=None if records.cost is None else costs_filled(records.cost, expected),
        expected=None if records.cost is None else expected,
        train_quality=ranking,
        out_of_scope_arm=served_by,
    )


def _router(bundle: Bundle, scorer: OnnxScorer, records: Records, run: Run) -> Played:
    mean = scorer.estimate(records.table.texts)[0].astype(np.float64)
    kind = cast("EstimateKind", bundle.manifest.score_kind)  # the manifest has checked it
    return Played(
        name=NAME,
        kind=kind,
        parts=(routed(mean, run, kind=kind, as_served=True),),
        estimates=(mean.astype(np.float32),),
        route_ms=timed(bundle.scorer(threads=1), records.table.texts),
        as_served=True,
    )


def _dials(
    pool: Pool, estimates: NDArray[np.float32], run: Run, expected: Floats
) -> tuple[DialRow, ...]:
    found = []
    cost = expected if run.cost is None else run.cost
    for dial in DIALS:
        at = grid_up(dial)
        worth = estimates - pool.dial.cost_weight[at] * expected
        chosen = choices(worth, run.present, seed=run.fold.seed)
        chosen = answered(chosen, run.out_of_scope_arm)
        found.append(
            DialRow(
                dial=dial,
                expected_quality=pool.dial.quality[at],
                quality=float(at_choices(run.quality, chosen).mean()),
                expected_usd=pool.dial.cost_usd[at],
                usd=float(at_choices(cost, chosen).mean()),
            )
        )
    return tuple(found)
