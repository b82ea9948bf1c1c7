"""k nearest neighbours: the weighed mean quality of the fitted rows of largest cosine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.head_graph import HeadGraph, rounded_rows
from hybridroute.training.pool.masked import arm_means, arm_spreads, checked
from hybridroute.training.pool.soft_neighbours import NEAREST_WEIGHT, soft_neighbours

Floats = NDArray[np.float64]

_NOTHING = 1e-14
"""Beside sums of squared weights: keeps 0 / 0 from an arm that no neighbour has."""
_CELLS = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Keeps the fitted rows.

    Parameters
    ----------
    k : int
        Neighbours of a query; all rows if there are fewer.
    """

    k: int = 200

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ConfigError(f"k is {self.k}; give at least 1")

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        return f"knn-{self.k}"

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedNeighbours:  # noqa: ARG002
        """Keep qualities of shape (n, m); nothing here is random. Raises DataError as checked."""
        held, present = checked(queries, quality)
        means = arm_means(held, present)
        return FittedNeighbours(
            k=min(self.k, len(held)),
            rows=rounded_rows(queries.embeddings),
            means=means,
            spreads=arm_spreads(held, present),
            above=np.where(present, held - means, 0.0),
            present=None if present.all() else present.astype(np.float64),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedNeighbours:
    """Stored rows (n, d), and qualities above each arm's mean (n, m), 0 where a cell is missing.

    The uncertainty is that of a weighed mean; the neighbours' variance is widened by one neighbour
    of the arm's own variance, so that agreement by chance is not taken for certainty.
    """

    k: int
    rows: Floats
    means: Floats
    spreads: Floats
    above: Floats
    present: Floats | None

    @property
    def kind(self) -> EstimateKind:
        """Of qualities."""
        return "quality"

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries."""
        shape = (len(queries), len(self.means))
        mean, uncertainty = np.empty(shape), np.empty(shape)
        for part in self._blocks(len(queries)):
            cosine = queries.embeddings[part].astype(np.float64) @ self.rows.T
            nearest, weights = soft_neighbours(cosine, self.k)
            mean[part], uncertainty[part] = self._weighed(nearest, weights)
        return Estimates(mean=mean, uncertainty=uncertainty)

    def _blocks(self, n: int) -> Iterator[slice]:
        size = max(1, _CELLS // max(self.k * len(self.means), len(self.rows)))
        return (slice(start, start + size) for start in range(0, n, size))

    def _weighed(self, nearest: NDArray[np.intp], weights: Floats) -> tuple[Floats, Floats]:
        near = self.above[nearest]  # (n, k, m)
        total, squares = weights.sum(1)[:, None], np.square(weights).sum(1)[:, None]
        if self.present is not None:
            there = self.present[nearest]
            total = np.einsum("nk,nkm->nm", weights, there)
            squares = np.einsum("nk,nkm->nm", np.square(weights), there)
        safe = np.maximum(total, NEAREST_WEIGHT)
        above = np.einsum("nk,nkm->nm", weights, near) / safe
        around = np.einsum("nk,nkm->nm", weights, np.square(near)) / safe - np.square(above)
        share = (squares + _NOTHING) / (np.square(total) + _NOTHING)
        spread = np.maximum(around, 0.0) + share * self.spreads
        return self.means + above, np.sqrt(spread * share)

    def head(self) -> onnx.GraphProto:
        """The same computation in ONNX, its rows stored in int8."""
        graph = HeadGraph()
        cosine = graph.op(
            "MatMul", graph.embedding(self.rows.shape[1]), graph.stored_rows(self.rows)
        )
        nearest, weights = self._nearest_nodes(graph, cosine)
        total = graph.total(weights, axis=1, keep=True)
        squared = graph.op("Mul", weights, weights)
        squares = graph.total(squared, axis=1, keep=True)
        if self.present is not None:
            there = graph.op("Gather", graph.whole(self.present), nearest, attributes={"axis": 0})
            total, squares = _mean_node(graph, weights, there), _mean_node(graph, squared, there)
        near = graph.op("Gather", graph.floats(self.above), nearest, attributes={"axis": 0})
        safe = graph.op("Max", total, graph.floats(NEAREST_WEIGHT))
        above = graph.op("Div", _mean_node(graph, weights, near), safe)
        around = graph.op(
            "Sub",
            graph.op("Div", _mean_node(graph, weights, graph.op("Mul", near, near)), safe),
            graph.op("Mul", above, above),
        )
        nothing = graph.floats(_NOTHING)
        share = graph.op(
            "Div",
            graph.op("Add", squares, nothing),
            graph.op("Add", graph.op("Mul", total, total), nothing),
        )
        spread = graph.op(
            "Add",
            graph.op("Max", around, graph.floats(0.0)),
            graph.op("Mul", share, graph.floats(self.spreads)),
        )
        return graph.finished(
            graph.op("Add", above, graph.floats(self.means)),
            graph.op("Sqrt", graph.op("Mul", spread, share)),
        )

    def _nearest_nodes(self, graph: HeadGraph, cosine: str) -> tuple[str, str]:
        """Indices and weights of the neighbours, (batch, k)."""
        if self.k == len(self.rows):
            near, nearest = graph.ops("TopK", cosine, graph.integers([self.k]), outputs=2)
            last = graph.floats(-1.0)
        else:
            values, order = graph.ops("TopK", cosine, graph.integers([self.k + 1]), outputs=2)
            sizes = graph.integers([self.k, 1])
            near, last = _split(graph, values, sizes)
            nearest, _ = _split(graph, order, sizes)
        weights = graph.op("Add", graph.op("Sub", near, last), graph.floats(NEAREST_WEIGHT))
        return nearest, weights


def _split(graph: HeadGraph, of: str, sizes: str) -> tuple[str, str]:
    first, second = graph.ops("Split", of, sizes, outputs=2, attributes={"axis": 1})
    return first, second


def _mean_node(graph: HeadGraph, weights: str, values: str) -> str:
    """Sums of values (batch, k, m) by weights (batch, k): (batch, m)."""
    rows = graph.op("Unsqueeze", weights, graph.integers([1]))
    return graph.op("Squeeze", graph.op("MatMul", rows, values), graph.integers([1]))
