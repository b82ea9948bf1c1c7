"""How long a router takes to route one query, by the graph that a device would run."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.pool.estimator import FittedEstimator, FittedHead, FittedWhole
from hybridroute.training.pool.router_graph import router_graph

_TIMES = 100
_WARM = 5


def device_timer(
    encoder: bytes, tokenizer: RouterTokenizer, texts: Sequence[str]
) -> Callable[[FittedEstimator], tuple[float, float]]:
    """A timer for fitted estimators.

    Each call joins the encoder and the estimator's head into one graph, or takes the estimator's
    own, and has the device's scorer assess up to 100 texts, one at a time on one thread, from text
    to estimates.

    Returns
    -------
    callable
        p50 and p95 in milliseconds.
    """
    shown = list(texts[:_TIMES])

    def of(fitted: FittedEstimator) -> tuple[float, float]:
        graph = _graph_of(fitted, encoder)
        return timed(OnnxScorer(graph, tokenizer, score_kind=fitted.kind, threads=1), shown)

    return of


def timed(scorer: OnnxScorer, texts: Sequence[str]) -> tuple[float, float]:
    """p50 and p95 in milliseconds of assessing up to 100 texts, one at a time."""
    for text in texts[:_WARM]:
        scorer.assess(text)
    taken = []
    for text in texts[:_TIMES]:
        started = time.perf_counter()
        scorer.assess(text)
        taken.append(1000.0 * (time.perf_counter() - started))
    p50, p95 = np.quantile(taken, [0.5, 0.95])
    return float(p50), float(p95)


def _graph_of(fitted: FittedEstimator, encoder: bytes) -> bytes:
    if isinstance(fitted, FittedWhole):
        return fitted.graph
    if isinstance(fitted, FittedHead):
        return router_graph(encoder, fitted.head())
    raise ConfigError(f"{type(fitted).__name__} has no graph that a device could run")
