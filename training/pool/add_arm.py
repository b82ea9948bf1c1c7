"""One more arm in a bundle, or another in its place, from a few hundred outcomes and in seconds.

The encoder, the other arms' estimates and their nodes in the graph stay as they are. The new arm's
column, see :mod:`new_column`, is fitted on its outcomes. Settings are judged by outcomes alone, on
rows that the router was not fitted on: an estimate that stood in for a missing outcome would judge
itself, and the largest of several is the luckiest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.edge_runtime.bundle import CARD, MODEL, TOKENIZER, Bundle, check_place
from hybridroute.edge_runtime.errors import BundleError, ConfigError, DataError
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.edge_runtime.onnx_scorer import ESTIMATES, UNCERTAINTIES, OnnxScorer
from hybridroute.edge_runtime.pool import Pool
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.magnitude import fault_of
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pool.card import pool_card
from hybridroute.training.pool.embedding import Embedder
from hybridroute.training.pool.expected_cost import ExpectedCost
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.judged_rows import FEWEST, JudgedRows, judged_rows
from hybridroute.training.pool.new_bundle import PoolFacts, pool_manifest
from hybridroute.training.pool.new_column import Column, fit_column, left_out
from hybridroute.training.pool.ridge import ridge_nodes
from hybridroute.training.pool.router_graph import attach, set_aside
from hybridroute.training.pool.score_table import ScoreTable

Floats = NDArray[np.float64]

_ADDED = "added_arms"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewArm:
    """The arm to add, or to put in the place of the one of its name.

    ``usd`` is what a query costs, whatever its length; None learns it from the outcomes.
    """

    name: str
    model: str
    usd: float | None = None


def add_arm(
    bundle: Bundle, outcomes: OutcomeTable, arm: NewArm, out: Path, *, command: str = ""
) -> tuple[Bundle, dict[str, Any]]:
    """Fit the arm's column on all its outcomes, calibrate the pool anew, write a bundle to ``out``.

    The pool is calibrated on the rows that its router was not fitted on; the new arm's estimates of
    them are those of fits without them, in five parts. Where these rows have too few outcomes of
    another arm the new tables hold costs alone: the bundle is flat, and says why.

    Returns
    -------
    bundle, facts
        What stands in the manifest of this addition: ``arm``, ``outcomes``, ``duplicates``,
        ``conflicting_duplicates``, ``alpha``, ``judged_on`` (rows), ``command``.

    Raises
    ------
    BundleError
        If the bundle is no pool's, or ``out`` cannot be written.
    ConfigError
        If its estimates are no qualities, or the arm's cost is not known.
    DataError
        If there are too few outcomes of the arm.
    """
    check_place(out)
    pool = _checked_pool(bundle)
    kept = [at for at, held in enumerate(pool.arms) if held.name != arm.name]
    others = tuple(pool.arms[at].name for at in kept)
    unique = outcomes.deduplicated()
    table = _rows_of(unique.table, arm.name, others)
    cost = _costs(pool, kept, table, arm)
    column, estimates = _fitted(bundle, table, arm.name, kept)
    characters = np.array([len(text) for text in table.texts], dtype=np.int64)
    order = np.argsort(cost.of(characters).mean(axis=0), kind="stable")
    judged = judged_rows(
        table,
        {pool.arms[at].name: pool.arms[at].quality for at in kept},
        estimates,
        fitted=bundle.manifest.training_hashes,
    ).with_arms(order)
    facts = {
        "arm": arm.name,
        "outcomes": len(table),
        "duplicates": unique.duplicates,
        "conflicting_duplicates": unique.conflicts,
        "alpha": column.solution.alpha,
        "judged_on": 0 if judged.unjudged else len(judged.table),
        "command": command,
    }
    earlier = len(bundle.manifest.training.get(_ADDED, ()))
    fresh = _with_column(bundle.read(MODEL), column, order, earlier)
    manifest = pool_manifest(
        _facts(bundle.manifest, arm, table.hashes, judged, facts),
        _scorer(fresh, bundle),
        judged.table,
        ExpectedCost(
            base_usd=cost.base_usd[order], usd_per_character=cost.usd_per_character[order]
        ),
        estimates=judged.estimates,
    )
    files = {MODEL: fresh, TOKENIZER: bundle.read(TOKENIZER)}
    card = pool_card(manifest, files).encode("utf-8")
    return Bundle.write(out, manifest, {**files, CARD: card}), facts


def _fitted(bundle: Bundle, table: ScoreTable, arm: str, kept: list[int]) -> tuple[Column, Floats]:
    """The arm's column, and estimates of the rows: the others' (n, others), then its left-out."""
    tokenizer, graph = bundle.read(TOKENIZER), bundle.read(MODEL)
    known = _scorer(graph, bundle).estimate(table.texts)[0].astype(np.float64)[:, kept]
    embedder = Embedder(graph, tokenizer.decode("utf-8"), max_tokens=bundle.manifest.max_tokens)
    states = embedder.states(table.texts).astype(np.float64)
    quality = table.quality[:, table.arms.index(arm)]
    column = fit_column(states, known, quality, kept)
    return column, np.column_stack([known, left_out(column, states, known, quality)])


def _checked_pool(bundle: Bundle) -> Pool:
    pool = bundle.manifest.pool
    if pool is None:
        raise BundleError(
            f"{bundle.path} is a router of two arms; make a pool's with `hybridroute train "
            "--estimator`"
        )
    if bundle.manifest.score_kind != "quality":
        raise ConfigError(
            f"the estimates of {bundle.path} are of the kind {bundle.manifest.score_kind}: a new "
            "arm's quality cannot stand beside them; train with an estimator of qualities, such "
            "as ridge"
        )
    return pool


def _rows_of(outcomes: OutcomeTable, arm: str, others: tuple[str, ...]) -> ScoreTable:
    """The rows that have the arm, with as many of the pool's as they have."""
    if arm not in outcomes.arm_names:
        raise DataError(
            f"{outcomes.source} has no arm {arm!r}; its arms are {sorted(outcomes.arm_names)}"
        )
    rows = outcomes.select([at for at, row in enumerate(outcomes.rows) if arm in row.arms])
    if len(rows) < FEWEST:
        raise DataError(
            f"{outcomes.source} has {len(rows)} outcomes of {arm!r}; give at least {FEWEST}, and "
            "some hundreds to mean it"
        )
    return ScoreTable.of(rows, (*(name for name in others if name in rows.arm_names), arm))


def _costs(pool: Pool, kept: list[int], table: ScoreTable, arm: NewArm) -> ExpectedCost:
    characters = np.array([len(text) for text in table.texts], dtype=np.int64)
    at = table.arms.index(arm.name)
    stated = None if table.cost_usd is None else table.cost_usd[:, at : at + 1]
    if arm.usd is not None:
        if fault := fault_of(arm.usd, low=0.0):
            raise ConfigError(f"the cost of {arm.name!r} {fault}")
        base, slope = arm.usd, 0.0
    elif stated is not None and not np.isnan(stated).all():
        learnt = ExpectedCost.fit(characters, stated)
        base, slope = float(learnt.base_usd[0]), float(learnt.usd_per_character[0])
    elif pool.dearest_usd == 0.0:
        base, slope = 0.0, 0.0
    else:
        raise ConfigError(
            f"arm {arm.name!r} has no cost in {table.source}, and the pool's arms have; give "
            "--cost USD, US dollars of a query"
        )
    return ExpectedCost(
        base_usd=np.array([*(pool.arms[at].base_usd for at in kept), base]),
        usd_per_character=np.array([*(pool.arms[at].usd_per_character for at in kept), slope]),
    )


def _with_column(graph: bytes, column: Column, order: NDArray[np.intp], added: int) -> bytes:
    """The graph with the column among the others; ``order`` places the others and then it."""
    model = onnx.load_from_string(graph)
    names = set_aside(model, f"/{added}")
    head = HeadGraph()
    width = len(column.solution.weights) - len(column.kept)
    state = head.embedding(width)

    def others(name: str) -> str:
        held = head.given(names[name], len(column.kept))
        return head.op("Gather", held, head.integers(column.kept), attributes={"axis": 1})

    def placed(known: str, new: str) -> str:
        both = head.op("Concat", known, new, attributes={"axis": 1})
        return head.op("Gather", both, head.integers(order), attributes={"axis": 1})

    known = others(ESTIMATES)
    borrowed = head.op("Sub", known, head.floats(column.middle))
    design = head.op("Concat", state, borrowed, attributes={"axis": 1})
    estimate, spread = ridge_nodes(head, design, column.solution)
    uncertain = placed(others(UNCERTAINTIES), spread) if UNCERTAINTIES in names else None
    attach(model, head.finished(placed(known, estimate), uncertain), stem=f"added_{added}")
    return bytes(model.SerializeToString())


def _scorer(graph: bytes, bundle: Bundle) -> OnnxScorer:
    manifest = bundle.manifest
    tokenizer = RouterTokenizer.from_bytes(bundle.read(TOKENIZER), max_tokens=manifest.max_tokens)
    return OnnxScorer(graph, tokenizer, score_kind="quality")


def _facts(
    manifest: Manifest,
    arm: NewArm,
    hashes: tuple[str, ...],
    judged: JudgedRows,
    facts: Mapping[str, Any],
) -> PoolFacts:
    pool, table = manifest.pool, judged.table
    assert pool is not None  # noqa: S101 (narrows the type: it was checked)
    # The report is of the pool as it was.
    earlier = {key: held for key, held in manifest.training.items() if key != "report"}
    models = {held.name: held.model for held in pool.arms} | {arm.name: arm.model}
    of_what = "rows that the router was not fitted on" if judged.unjudged is None else "rows"
    return PoolFacts(
        name=manifest.name,
        estimator=pool.estimator,
        models={name: models[name] for name in table.arms},
        best_single=table.arms[int(np.nanmean(table.quality, axis=0).argmax())],
        max_tokens=manifest.max_tokens,
        hashes=(*manifest.training_hashes, *hashes),
        training=earlier | {_ADDED: [*earlier.get(_ADDED, ()), facts]},
        calibrated_on=f"{of_what} with outcomes of {arm.name}",
        unjudged=judged.unjudged,
    )
