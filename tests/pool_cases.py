"""Queries and outcomes of many arms, made up: what a state points at is what an arm is good at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.onnx_runtime import ort
from hybridroute.edge_runtime.onnx_scorer import EMBEDDING, ESTIMATES, UNCERTAINTIES
from hybridroute.training.pool.estimator import Estimates, FittedEstimator, Queries
from hybridroute.training.pool.head_graph import TOKENS
from hybridroute.training.pool.router_graph import head_model

Floats = NDArray[np.float64]
WIDTH = 12


def queries_of(n: int, *, seed: int = 0, width: int = WIDTH) -> Queries:
    """n states of unit length; the length in tokens has nothing to do with them."""
    draw = np.random.default_rng(seed)
    states = draw.normal(size=(n, width))
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    tokens = draw.integers(3, 97, size=n)
    return Queries(embeddings=states.astype(np.float32), characters=4 * tokens, tokens=tokens)


def chances_of(queries: Queries, arms: int, *, seed: int = 1) -> Floats:
    """Each arm's chance to be right, shape (n, arms)."""
    directions = np.random.default_rng(seed).normal(size=(queries.embeddings.shape[1], arms))
    return 1.0 / (1.0 + np.exp(-3.0 * queries.embeddings @ directions))


def outcomes_of(queries: Queries, arms: int, *, seed: int = 1, missing: float = 0.0) -> Floats:
    """0 or 1 by those chances; a share of the cells is missing."""
    draw = np.random.default_rng([seed, 1])
    right = (draw.random((len(queries), arms)) < chances_of(queries, arms, seed=seed)).astype(float)
    right[draw.random(right.shape) < missing] = np.nan
    return right


def run_head(fitted: FittedEstimator, queries: Queries) -> Estimates:
    """What onnxruntime makes of an estimator's head."""
    session = ort.InferenceSession(head_model(fitted.head()), providers=["CPUExecutionProvider"])
    feeds = {
        EMBEDDING: queries.embeddings,
        TOKENS: queries.tokens[:, None].astype(np.float32),
    }
    outputs = [item.name for item in session.get_outputs()]
    wanted = {item.name for item in session.get_inputs()}
    values = session.run(outputs, {name: held for name, held in feeds.items() if name in wanted})
    found = dict(zip(outputs, values, strict=True))
    spread = found.get(UNCERTAINTIES)
    return Estimates(
        mean=found[ESTIMATES].astype(np.float64),
        uncertainty=None if spread is None else spread.astype(np.float64),
    )
