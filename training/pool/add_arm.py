"""One more arm in a bundle, or another in its place, from a few hundred outcomes and in seconds.

The encoder, the other arms' estimates and their nodes in the graph stay as they are. The new arm's
column is a ridge regression on the state and on what the router already estimates of the other
arms: a query that they find hard is a hard one, which a few outcomes are enough to learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.edge_runtime.bundle import CARD, MODEL, TOKENIZER, Bundle, check_place
from hybridroute.edge_runtime.errors import BundleError, ConfigError, DataError
from hybridroute.edge_runtime.onnx_scorer import ESTIMATES, UNCERTAINTIES, OnnxScorer
from hybridroute.edge_runtime.pool import Pool
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pool.card import pool_card
from hybridroute.training.pool.embedding import Embedder
from hybridroute.training.pool.expected_cost import ExpectedCost
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.new_bundle import PoolFacts, pool_manifest
from hybridroute.training.pool.ridge import column_scale, ridge_nodes
from hybridroute.training.pool.ridge_solution import RidgeSolution, ridge_solution
from hybridroute.training.pool.router_graph import attach, set_aside
from hybridroute.training.pool.score_table import ScoreTable

Floats = NDArray[np.float64]

BORROWED = 1.0
"""Scale of the other arms' estimates beside a state of unit length: how little they are penalised
for what they already tell."""
_ADDED = "added_arms"
_FEWEST = 20
_FOLDS = 5


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

    The new arm's estimates of the calibration rows are those of fits without them, in five parts;
    where the outcomes lack another arm of the pool, its own estimate stands in for its quality.

    Returns
    -------
    bundle, facts
        What stands in the manifest of this addition: ``arm``, ``outcomes``, ``alpha``.

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
    table = _rows_of(outcomes, arm.name, others)
    cost = _costs(pool, kept, table, arm)
    tokenizer, graph = bundle.read(TOKENIZER), bundle.read(MODEL)
    size = bundle.manifest.max_tokens
    known = _scorer(graph, bundle).estimate(table.texts)[0].astype(np.float64)
    states = Embedder(graph, tokenizer.decode("utf-8"), max_tokens=size).states(table.texts)
    quality = table.quality[:, table.arms.index(arm.name)]
    column = fit_column(states.astype(np.float64), known[:, kept], quality, kept)
    estimates = np.column_stack([known[:, kept], column.left_out])
    characters = np.array([len(text) for text in table.texts], dtype=np.int64)
    order = np.argsort(cost.of(characters).mean(axis=0), kind="stable")
    held = _filled(table, (*others, arm.name), estimates).with_arms(order)
    facts = {
        "arm": arm.name,
        "outcomes": len(table),
        "alpha": column.solution.alpha,
        "command": command,
    }
    fresh = _with_column(graph, column, order, len(bundle.manifest.training.get(_ADDED, ())))
    manifest = pool_manifest(
        _facts(bundle, pool, arm, held, facts),
        _scorer(fresh, bundle),
        held,
        ExpectedCost(
            base_usd=cost.base_usd[order], usd_per_character=cost.usd_per_character[order]
        ),
        estimates=estimates[:, order],
    )
    files = {MODEL: fresh, TOKENIZER: tokenizer}
    card = pool_card(manifest, files).encode("utf-8")
    return Bundle.write(out, manifest, {**files, CARD: card}), facts


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
    unique = outcomes.deduplicated().table
    rows = unique.select([at for at, row in enumerate(unique.rows) if arm in row.arms])
    if len(rows) < _FEWEST:
        raise DataError(
            f"{outcomes.source} has {len(rows)} outcomes of {arm!r}; give at least {_FEWEST}, and "
            "some hundreds to mean it"
        )
    return ScoreTable.of(rows, (*(name for name in others if name in rows.arm_names), arm))


def _filled(table: ScoreTable, arms: tuple[str, ...], estimates: Floats) -> ScoreTable:
    """The table with all these arms; a quality that it lacks is the estimate."""
    quality = estimates.copy()
    for at, name in enumerate(arms):
        if name in table.arms:
            held = table.quality[:, table.arms.index(name)]
            quality[:, at] = np.where(np.isnan(held), quality[:, at], held)
    return replace(table, arms=arms, quality=quality, cost_usd=None)


def _costs(pool: Pool, kept: list[int], table: ScoreTable, arm: NewArm) -> ExpectedCost:
    characters = np.array([len(text) for text in table.texts], dtype=np.int64)
    at = table.arms.index(arm.name)
    stated = None if table.cost_usd is None else table.cost_usd[:, at : at + 1]
    if arm.usd is not None:
        if not (np.isfinite(arm.usd) and arm.usd >= 0.0):
            raise ConfigError(f"the cost of {arm.name!r} is {arm.usd}; give a number of at least 0")
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Column:
    """A new arm's estimate: a ridge on the state and the other arms' estimates, laid on a scale.

    ``left_out`` are estimates (n,) of the fitted rows, each by a fit without its fifth of them.
    """

    solution: RidgeSolution
    kept: list[int]
    middle: Floats
    left_out: Floats

    def design(self, states: Floats, known: Floats) -> Floats:
        """Shape (n, d + others)."""
        return np.hstack([states, BORROWED * (known - self.middle)])


def fit_column(states: Floats, known: Floats, quality: Floats, kept: list[int]) -> Column:
    """Fit a column on states (n, d), the others' estimates (n, others) and qualities (n,)."""
    middle = known.mean(axis=0)
    design = np.hstack([states, BORROWED * (known - middle)])
    scale = column_scale(design, states.shape[1])
    design = design * scale
    solution = ridge_solution(design, quality[:, None])
    left_out = np.empty(len(quality))
    for fold in range(_FOLDS):
        out = np.arange(len(quality)) % _FOLDS == fold
        part = ridge_solution(design[~out], quality[~out, None], alphas=[solution.alpha])
        left_out[out] = part.predicted(design[out])[:, 0]
    return Column(solution=solution.of_unscaled(scale), kept=kept, middle=middle, left_out=left_out)


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
    borrowed = head.op("Mul", borrowed, head.floats(BORROWED))
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
    bundle: Bundle, pool: Pool, arm: NewArm, table: ScoreTable, facts: Mapping[str, Any]
) -> PoolFacts:
    manifest = bundle.manifest
    # The report is of the pool as it was.
    earlier = {key: held for key, held in manifest.training.items() if key != "report"}
    models = {held.name: held.model for held in pool.arms} | {arm.name: arm.model}
    return PoolFacts(
        name=manifest.name,
        estimator=pool.estimator,
        models={name: models[name] for name in table.arms},
        best_single=table.arms[int(table.quality.mean(axis=0).argmax())],
        max_tokens=manifest.max_tokens,
        hashes=(*manifest.training_hashes, *table.hashes),
        training=earlier | {_ADDED: [*earlier.get(_ADDED, ()), facts]},
        calibrated_on=f"outcomes of {arm.name}; an arm that a row lacks counts as estimated there",
    )
