"""From outcomes of many arms to a bundle: split, costs, fit, one graph, calibrate, report."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hybridroute.edge_runtime.bundle import CARD, MODEL, TOKENIZER, Bundle, check_place
from hybridroute.edge_runtime.errors import ConfigError, TrainingError
from hybridroute.edge_runtime.model_store import cache_folder
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pair_split import SplitBy
from hybridroute.training.pool.card import pool_card
from hybridroute.training.pool.estimator import EstimateKind, Estimator
from hybridroute.training.pool.expected_cost import ExpectedCost
from hybridroute.training.pool.frozen_encoder import frozen_encoder
from hybridroute.training.pool.new_bundle import PoolFacts, pool_manifest
from hybridroute.training.pool.prices import pool_prices
from hybridroute.training.pool.registry import make
from hybridroute.training.pool.report import pool_report
from hybridroute.training.pool.router_graph import router_graph
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.pool.split import PoolSplit, split_pool

Floats = NDArray[np.float64]

_PARITY = 1e-3
"""Limit of the 99th percentile: an int8 state moves by whole steps where a rounding differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPlan:
    """What to train on, how, and where to put it.

    Parameters
    ----------
    outcomes : OutcomeTable
    estimator : str
        A name of :data:`ESTIMATORS`.
    arms : tuple of str or None
        The pool; None for every arm of the outcomes.
    models : mapping of str to str
        The model of an arm, where it has another name.
    costs : mapping of str to float
        US dollars of a query, in place of what the outcomes state.
    encoder, max_tokens
        The frozen encoder's source and input length.
    split_by, split_seed, seed
        Of the split and of the fit.
    """

    outcomes: OutcomeTable
    estimator: str
    out: Path
    name: str
    arms: tuple[str, ...] | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    encoder: str = "minilm"
    max_tokens: int = 128
    split_by: SplitBy = "prompt"
    split_seed: int = 0
    seed: int = 1
    sources: tuple[str, ...] = ()
    licence: str | None = None
    command: str = ""

    def __post_init__(self) -> None:
        for name in ("split_seed", "seed"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; give at least 0")
        if not 8 <= self.max_tokens <= 512:
            raise ConfigError(f"max_tokens is {self.max_tokens}; it must be from 8 to 512")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRouter:
    """A fitted router as the device's graph.

    ``estimates`` are those of the fit, of the calibration rows: what the graph must give, too.
    """

    graph: bytes
    tokenizer: str
    kind: EstimateKind
    estimates: Floats
    fit_s: float


def train_pool(plan: PoolPlan) -> tuple[Bundle, dict[str, Any]]:
    """Train a pool's router; its bundle, and what ``train --json`` prints of it.

    Raises
    ------
    DataError, TrainingError, ConfigError, BundleError
        As the stages do. What can be known to be wrong is raised before the fit.
    """
    check_place(plan.out)
    estimator = make(plan.estimator)
    split = split_pool(
        plan.outcomes, plan.arms, by=plan.split_by, seed=plan.split_seed, with_selection=False
    )
    _check_outcomes(split.fit)
    prices = pool_prices(split.fit, plan.costs)
    split, cost = _cheapest_first(split, prices.cost)
    _check_models(plan.models, split.fit.arms)
    router = _fitted(plan, estimator, split)
    tokenizer = RouterTokenizer(Tokenizer.from_str(router.tokenizer), max_tokens=plan.max_tokens)
    scorer = OnnxScorer(router.graph, tokenizer, score_kind=router.kind)
    facts = {
        "command": plan.command,
        "sources": list(plan.sources),
        "licence": plan.licence,
        "data": plan.outcomes.source,
        "split": split.facts,
        "config": {
            "estimator": estimator.name,
            "encoder": plan.encoder,
            "max_tokens": plan.max_tokens,
            "seed": plan.seed,
        },
        "fit_s": round(router.fit_s, 3),
        "parity": _parity(router, scorer, split.calibrate),
        "costs": prices.source,
    }
    means = np.nanmean(split.fit.quality, axis=0)
    described = PoolFacts(
        name=plan.name,
        estimator=estimator.name,
        models={arm: plan.models.get(arm, arm) for arm in split.fit.arms},
        best_single=split.fit.arms[int(means.argmax())],
        max_tokens=plan.max_tokens,
        hashes=split.fit.hashes,
        training=facts,
    )
    manifest = pool_manifest(described, scorer, split.calibrate, cost)
    files = {MODEL: router.graph, TOKENIZER: router.tokenizer.encode("utf-8")}
    bundle = Bundle.write(plan.out, manifest, {**files, CARD: b""})
    report = {**facts, "report": {"test": pool_report(bundle, split.test)}}
    return with_pool_report(bundle, report), report


def with_pool_report(bundle: Bundle, facts: Mapping[str, Any]) -> Bundle:
    """Write the bundle again with its report and model card; the router itself is unchanged."""
    manifest = replace(bundle.manifest, training=facts)
    files = {name: bundle.read(name) for name in (MODEL, TOKENIZER)}
    card = pool_card(manifest, files).encode("utf-8")
    return Bundle.write(bundle.path, manifest, {**files, CARD: card})


def _fitted(plan: PoolPlan, estimator: Estimator, split: PoolSplit) -> PoolRouter:
    encoder = frozen_encoder(plan.encoder, max_tokens=plan.max_tokens)
    embedder = encoder.embedder(cache=cache_folder() / "states")
    queries = embedder.queries(split.fit.texts)
    begun = time.perf_counter()
    fitted = estimator.fit(queries, split.fit.quality, seed=plan.seed)
    fit_s = time.perf_counter() - begun
    return PoolRouter(
        graph=router_graph(encoder.graph, fitted.head()),
        tokenizer=encoder.tokenizer,
        kind=fitted.kind,
        estimates=fitted.estimate(embedder.queries(split.calibrate.texts)).mean,
        fit_s=fit_s,
    )


def _check_outcomes(table: ScoreTable) -> None:
    held = table.quality[~np.isnan(table.quality)]
    if held.min() == held.max():
        raise TrainingError(
            f"every quality is {held.min():g}: there is nothing to learn from these rows"
        )


def _check_models(models: Mapping[str, str], arms: Sequence[str]) -> None:
    unknown = [arm for arm in models if arm not in arms]
    if unknown:
        raise ConfigError(f"a model is stated for {unknown[0]!r}; the arms are {list(arms)}")


def _cheapest_first(split: PoolSplit, cost: ExpectedCost) -> tuple[PoolSplit, ExpectedCost]:
    """The split and the costs with the arms by their mean expected cost; equal ones as given."""
    characters = np.array([len(text) for text in split.fit.texts], dtype=np.int64)
    order = np.argsort(cost.of(characters).mean(axis=0), kind="stable")
    parts = {
        name: getattr(split, name).with_arms(order)
        for name in ("fit", "select", "calibrate", "test")
    }
    sorted_cost = ExpectedCost(
        base_usd=cost.base_usd[order], usd_per_character=cost.usd_per_character[order]
    )
    return replace(split, **parts), sorted_cost


def _parity(router: PoolRouter, scorer: OnnxScorer, table: ScoreTable) -> dict[str, Any]:
    """How far the graph's estimates lie from the fit's. Raises TrainingError if too far."""
    off = np.abs(scorer.estimate(table.texts)[0] - router.estimates)
    p99, largest = float(np.percentile(off, 99)), float(off.max())
    # In units of how much the estimates differ at all, where that is more than 1.
    limit = _PARITY * max(1.0, float(np.ptp(router.estimates)))
    if p99 > limit:
        raise TrainingError(
            f"the exported router does not give the fit's estimates on {len(table)} rows: the 99th "
            f"percentile of the differences is {p99:.2g} > {limit:.2g}"
        )
    return {"n": len(table), "p99": p99, "largest": largest}
