"""An estimator by name -> the graph that the device will run, checked against the fit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from hybridroute.edge_runtime.errors import ConfigError, TrainingError
from hybridroute.edge_runtime.model_store import cache_folder
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.fit_seeds import OnStep
from hybridroute.training.pool.estimator import Estimates, Estimator, FittedHead
from hybridroute.training.pool.fine_tuned import fine_tune
from hybridroute.training.pool.frozen_encoder import frozen_encoder
from hybridroute.training.pool.registry import FINE_TUNED, make
from hybridroute.training.pool.router_graph import router_graph
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.pool.split import PoolSplit

_PARITY = 1e-3
"""Limit of the 95th percentile of a row's largest difference: a query between two clusters may
fall into the other one by a rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRouter:
    """A fitted router: its graph, its tokenizer's file, and what runs them.

    ``parity`` holds ``n``, ``p99`` and ``largest`` of the differences to the fit's estimates.
    """

    graph: bytes
    tokenizer: str
    scorer: OnnxScorer
    parity: Mapping[str, Any]
    fit_s: float


def needs_selection(estimator: str) -> bool:
    """Whether it chooses its weights by rows kept apart from those it is fitted on."""
    return estimator == FINE_TUNED


def fitted_router(
    estimator: str,
    config: FitConfig,
    split: PoolSplit,
    *,
    work: Path,
    made: Estimator | None = None,
    on_step: OnStep | None = None,
) -> PoolRouter:
    """Fit on a split's rows and export; ``on_step`` is told of a fine-tuned estimator's steps.

    ``made`` is one with settings of its own, in place of the one that the name stands for.

    Raises
    ------
    ConfigError
        If there is no estimator of that name.
    DataError, TrainingError
        As the fits do, or if the graph does not give the fit's estimates.
    """
    if estimator == FINE_TUNED:
        return _tuned(config, split, work, on_step)
    chosen = made or make(estimator)
    encoder = frozen_encoder(config.encoder, max_tokens=config.max_tokens, pooling=config.pooling)
    embedder = encoder.embedder(cache=cache_folder() / "states")
    queries = embedder.queries(split.fit.texts)
    begun = time.perf_counter()
    fitted = chosen.fit(queries, split.fit.quality, seed=config.seed)
    fit_s = time.perf_counter() - begun
    if not isinstance(fitted, FittedHead):
        raise ConfigError(f"{chosen.name} is not fitted on frozen states; give its name alone")
    graph = router_graph(encoder.graph, fitted.head())
    tokenizer = Tokenizer.from_str(encoder.tokenizer)
    scorer = OnnxScorer(
        graph,
        RouterTokenizer(tokenizer, max_tokens=config.max_tokens),
        score_kind=fitted.kind,
    )
    wanted = fitted.estimate(embedder.queries(split.calibrate.texts))
    return PoolRouter(
        graph=graph,
        tokenizer=encoder.tokenizer,
        scorer=scorer,
        parity=_parity(wanted, scorer, split.calibrate),
        fit_s=fit_s,
    )


def _tuned(config: FitConfig, split: PoolSplit, work: Path, on_step: OnStep | None) -> PoolRouter:
    made = fine_tune(config, split.fit, split.select, work=work, on_step=on_step)
    tokenizer = Tokenizer.from_str(made.tokenizer)
    scorer = OnnxScorer(
        made.graph,
        RouterTokenizer(tokenizer, max_tokens=config.max_tokens),
        score_kind="quality",
    )
    parity = made.parity
    return PoolRouter(
        graph=made.graph,
        tokenizer=made.tokenizer,
        scorer=scorer,
        parity={"n": parity.n, "p99": parity.p99, "largest": parity.largest},
        fit_s=made.fit_s,
    )


def _parity(wanted: Estimates, scorer: OnnxScorer, table: ScoreTable) -> dict[str, Any]:
    """How far the graph's estimates lie from the fit's. Raises TrainingError if too far."""
    off = np.abs(scorer.estimate(table.texts)[0] - wanted.mean).max(axis=1)
    p95, largest = float(np.percentile(off, 95)), float(off.max())
    # In units of how much the estimates differ at all, where that is more than 1.
    limit = _PARITY * max(1.0, float(np.ptp(wanted.mean)))
    if p95 > limit:
        raise TrainingError(
            f"the exported router does not give the fit's estimates on {len(table)} rows: the 95th "
            f"percentile of the differences is {p95:.2g} > {limit:.2g}"
        )
    return {"n": len(table), "p99": float(np.percentile(off, 99)), "largest": largest}
