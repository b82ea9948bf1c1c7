"""Ridge regression of every arm's quality at once, with or without the length beside the state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.masked import checked

Floats = NDArray[np.float64]

ALPHAS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_LEAST = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RidgeSolution:
    """Weights of shape (p, m), biases (m,), and what the spread of a prediction needs.

    Of a design row x the spread of arm i is ``noise[i] * sqrt(1 / rows + norm(x @ root - shift)
    ** 2)``: the standard error of a ridge prediction, with the noise measured where each row is
    left out. ``rows`` and ``root`` (p, p) are those of the arm with the most outcomes; the noise of
    an arm that has fewer is widened by the root of the ratio.
    """

    weights: Floats
    bias: Floats
    alpha: float
    noise: Floats
    rows: int
    root: Floats
    shift: Floats

    def of_unscaled(self, scale: Floats) -> RidgeSolution:
        """The same for a design whose columns had not been multiplied by ``scale``, (p,)."""
        return replace(self, weights=scale[:, None] * self.weights, root=scale[:, None] * self.root)

    def predicted(self, design: Floats) -> Floats:
        """Of rows of shape (n, p): shape (n, m)."""
        found: Floats = design @ self.weights + self.bias
        return found

    def spread(self, design: Floats) -> Floats:
        """Standard errors of the predictions, shape (n, m)."""
        off = np.square(design @ self.root - self.shift).sum(axis=1)
        spread: Floats = np.sqrt(1.0 / self.rows + off)[:, None] * self.noise
        return spread


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Arms that have the same rows, and the eigenvectors of those rows' design."""

    arms: NDArray[np.intp]
    middle: Floats
    means: Floats
    sizes: Floats
    turned: Floats
    vectors: Floats
    off: Floats
    wanted: Floats

    @classmethod
    def of(cls, design: Floats, target: Floats, arms: NDArray[np.intp]) -> Self:
        middle, means = design.mean(axis=0), target.mean(axis=0)
        centred = design - middle
        sizes, vectors = np.linalg.eigh(centred.T @ centred)
        turned = centred @ vectors
        off = target - means
        return cls(
            arms, middle, means, np.maximum(sizes, 0.0), turned, vectors, off, turned.T @ off
        )

    def left_out(self, alpha: float) -> Floats:
        """Summed squared errors of each arm where each row is left out in turn."""
        shrunk = 1.0 / (self.sizes + alpha)
        off = self.off - self.turned @ (shrunk[:, None] * self.wanted)
        weight = 1.0 / len(off) + np.square(self.turned) @ shrunk  # the hat matrix's diagonal
        errors: Floats = np.square(off / np.maximum(1.0 - weight, _LEAST)[:, None]).sum(axis=0)
        return errors

    def weights(self, alpha: float) -> Floats:
        found: Floats = self.vectors @ (self.wanted / (self.sizes + alpha)[:, None])
        return found


def ridge_solution(
    design: Floats, target: Floats, *, alphas: Sequence[float] = ALPHAS
) -> RidgeSolution:
    """Take the penalty, one for all arms, with the least squared error where each row is left out.

    Parameters
    ----------
    design : ndarray, shape (n, p)
    target : ndarray, shape (n, m)
        NaN where a cell is missing; each arm has one that is not.
    alphas : sequence of float
        Above 0; the bias is not penalised.

    Raises
    ------
    ConfigError
        If there is no alpha, or one is not above 0.
    """
    if not alphas or min(alphas) <= 0.0:
        raise ConfigError(f"alphas are {list(alphas)}; give one or more above 0")
    arms = target.shape[1]
    parts = list(_parts(design, target))
    alpha = alphas[0]
    if len(alphas) > 1:
        alpha = min(alphas, key=lambda one: sum(part.left_out(one).sum() for part in parts))
    weights, bias, noise = np.empty((design.shape[1], arms)), np.empty(arms), np.empty(arms)
    most = max(parts, key=lambda part: len(part.off))
    for part in parts:
        held = part.weights(alpha)
        weights[:, part.arms] = held
        bias[part.arms] = part.means - part.middle @ held
        n = len(part.off)
        noise[part.arms] = np.sqrt(part.left_out(alpha) / n * (len(most.off) / n))
    root = most.vectors / np.sqrt(most.sizes + alpha)
    return RidgeSolution(
        weights=weights,
        bias=bias,
        alpha=alpha,
        noise=noise,
        rows=len(most.off),
        root=root,
        shift=most.middle @ root,
    )


def _parts(design: Floats, target: Floats) -> Iterator[_Part]:
    present = ~np.isnan(target)
    if present.all():
        yield _Part.of(design, target, np.arange(target.shape[1]))
        return
    _, kinds = np.unique(present, axis=1, return_inverse=True)
    for kind in range(kinds.max() + 1):
        arms = np.flatnonzero(kinds == kind)
        rows = present[:, arms[0]]
        yield _Part.of(design[rows], target[np.ix_(rows, arms)], arms)


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
