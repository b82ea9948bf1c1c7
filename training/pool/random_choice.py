"""Estimates that mean nothing: the router that any other must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.masked import checked

Floats = NDArray[np.float64]

_TURNS = 100.0
"""So many radians lie between unrelated texts, so that the phases of the two have nothing in
common; float32 still knows a phase to 1e-5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomChoice:
    """Each arm has the largest estimate equally often; the same text has the same estimates."""

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        return "random"

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedRandomChoice:
        """Draw a direction for each arm; qualities give the number of arms alone."""
        held, _ = checked(queries, quality)
        shape = (queries.embeddings.shape[1], held.shape[1])
        random = np.random.default_rng(seed)
        return FittedRandomChoice(
            directions=_TURNS * random.normal(size=shape),
            phases=random.uniform(0.0, 2.0 * np.pi, size=shape[1:]),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedRandomChoice:
    """The cosine of a phase that turns many times between one text and the next."""

    directions: Floats
    phases: Floats

    @property
    def kind(self) -> EstimateKind:
        """Only the order means anything, and that nothing much."""
        return "ordinal"

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries."""
        return Estimates(mean=np.cos(queries.embeddings @ self.directions + self.phases))

    def head(self) -> onnx.GraphProto:
        """The same computation in ONNX."""
        graph = HeadGraph()
        state = graph.embedding(len(self.directions))
        turned = graph.op("MatMul", state, graph.floats(self.directions))
        return graph.finished(graph.op("Cos", graph.op("Add", turned, graph.floats(self.phases))))
