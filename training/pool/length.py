"""The mean quality of queries of like length: what any estimator must beat."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.group_means import GroupMeans
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.masked import checked

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Length:
    """Lays the lengths in tokens into groups of about as many rows, and takes each arm's means."""

    groups: int = 10

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        return "length"

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedLength:  # noqa: ARG002
        """Fit on qualities of shape (n, m); nothing here is random. Raises DataError as checked."""
        held, present = checked(queries, quality)
        shares = np.arange(1, self.groups) / self.groups
        edges = np.unique(np.floor(np.quantile(queries.tokens, shares)))
        means = GroupMeans.of(_group(edges, queries), len(edges) + 1, held, present)
        return FittedLength(edges=edges, means=means)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedLength:
    """Groups divided by ``edges``: a query stands above each one that it is longer than."""

    edges: Floats
    means: GroupMeans

    @property
    def kind(self) -> EstimateKind:
        """Of qualities."""
        return "quality"

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries."""
        return self.means.looked_up(_group(self.edges, queries))

    def head(self) -> onnx.GraphProto:
        """The same computation in ONNX."""
        graph = HeadGraph()
        longer = graph.op("Greater", graph.tokens(), graph.floats(self.edges[None]))
        counted = graph.op("Cast", longer, attributes={"to": TensorProto.INT64})
        return graph.finished(*self.means.nodes(graph, graph.total(counted, axis=1)))


def _group(edges: Floats, queries: Queries) -> NDArray[np.intp]:
    return np.searchsorted(edges, queries.tokens, side="left")
