"""Ridge regression of every arm's quality at once, with or without the length beside the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.masked import checked
from hybridroute.training.pool.ridge_solution import ALPHAS, RidgeSolution, ridge_solution

Floats = NDArray[np.float64]

_LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthFeatures:
    """Two columns beside the state: the logarithm of the length in tokens, scaled, and its square.

    They are larger than a state's numbers, so that the penalty hardly touches them.
    """

    mean: float
    scale: float

    @classmethod
    def of(cls, tokens: NDArray[np.int64]) -> Self:
        """Scaled by these lengths."""
        logs = np.log(np.maximum(tokens, 1))
        return cls(mean=float(logs.mean()), scale=float(logs.std()) or 1.0)

    def columns(self, tokens: NDArray[np.int64]) -> Floats:
        """Shape (n, 2)."""
        scaled = (np.log(np.maximum(tokens, 1)) - self.mean) / self.scale
        return np.column_stack([scaled, np.square(scaled)])

    def node(self, graph: HeadGraph) -> str:
        """The same in a graph, (batch, 2)."""
        logs = graph.op("Log", graph.op("Max", graph.tokens(), graph.floats(1.0)))
        scaled = graph.op(
            "Div", graph.op("Sub", logs, graph.floats(self.mean)), graph.floats(self.scale)
        )
        squared = graph.op("Mul", scaled, scaled)
        return graph.op("Concat", scaled, squared, attributes={"axis": 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ridge:
    """Fits a ridge regression of every arm's quality on the state.

    Parameters
    ----------
    with_length : bool
        The length in tokens is a feature, too.
    alphas : tuple of float
        The penalties to choose from by leave-one-out.
    """

    with_length: bool = False
    alphas: tuple[float, ...] = ALPHAS

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        return "ridge-length" if self.with_length else "ridge"

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedRidge:  # noqa: ARG002
        """Fit on qualities of shape (n, m); nothing here is random.

        Raises
        ------
        DataError, ConfigError
            As :func:`checked` and :func:`ridge_solution`.
        """
        held, present = checked(queries, quality)
        length = LengthFeatures.of(queries.tokens) if self.with_length else None
        design = _design(queries, length)
        scale = column_scale(design, queries.embeddings.shape[1])
        solution = ridge_solution(
            design * scale, np.where(present, held, np.nan), alphas=self.alphas
        )
        return FittedRidge(solution=solution.of_unscaled(scale), length=length)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedRidge:
    """Estimates qualities linearly; the uncertainty is that of a ridge prediction."""

    solution: RidgeSolution
    length: LengthFeatures | None

    @property
    def kind(self) -> EstimateKind:
        """Of qualities."""
        return "quality"

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries."""
        design = _design(queries, self.length)
        return Estimates(
            mean=self.solution.predicted(design), uncertainty=self.solution.spread(design)
        )

    def head(self) -> onnx.GraphProto:
        """The same computation in ONNX."""
        graph, solution = HeadGraph(), self.solution
        state = graph.embedding(len(solution.weights) - (2 if self.length else 0))
        if self.length is not None:
            state = graph.op("Concat", state, self.length.node(graph), attributes={"axis": 1})
        return graph.finished(*ridge_nodes(graph, state, solution))


def ridge_nodes(graph: HeadGraph, design: str, solution: RidgeSolution) -> tuple[str, str]:
    """Predictions and spreads of ``design`` (batch, p), each (batch, m)."""
    found = graph.op("MatMul", design, graph.floats(solution.weights))
    estimates = graph.op("Add", found, graph.floats(solution.bias))
    turned = graph.op("MatMul", design, graph.floats(solution.root))
    off = graph.op("Sub", turned, graph.floats(solution.shift))
    squared = graph.total(graph.op("Mul", off, off), axis=1, keep=True)
    spread = graph.op("Sqrt", graph.op("Add", squared, graph.floats(1.0 / solution.rows)))
    return estimates, graph.op("Mul", spread, graph.floats(solution.noise))


def column_scale(design: Floats, width: int) -> Floats:
    """What spreads the states, the first ``width`` columns, to a variance of 1 in all: shape (p,).

    The states of some encoders all lie close together; a penalty means the same for each then.
    """
    scale = np.ones(design.shape[1])
    spread = float(design[:, :width].var(axis=0).sum())
    scale[:width] = 1.0 / np.sqrt(spread) if spread > _LEAST else 1.0
    return scale


def _design(queries: Queries, length: LengthFeatures | None) -> Floats:
    state = queries.embeddings.astype(np.float64)
    return state if length is None else np.hstack([state, length.columns(queries.tokens)])
