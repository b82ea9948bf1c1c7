"""Logistic regression of every arm's quality at once, for qualities in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.logistic_solution import (
    LogisticSolution,
    logistic_solution,
    logistic_solutions,
)
from hybridroute.training.pool.masked import checked

Floats = NDArray[np.float64]

L2 = (0.3, 1.0, 3.0, 10.0, 30.0)
_HELD_OUT = 0.2
_MOST_ASKED = 32
"""Arms that choose the penalty for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logistic:
    """Fits a logistic regression of every arm's quality on the state.

    Parameters
    ----------
    l2 : tuple of float
        Penalties on states of unit length, one for all arms: the one with the least cross-entropy
        on a fifth of the rows, held out.
    """

    l2: tuple[float, ...] = L2

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        return "logistic"

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedLogistic:
        """Fit on qualities of shape (n, m).

        Raises
        ------
        DataError, TrainingError, ConfigError
            As :func:`checked` and :func:`logistic_solution`.
        """
        held, present = checked(queries, quality)
        target = np.where(present, held, np.nan)
        design = queries.embeddings.astype(np.float64)
        l2 = self.l2[0]
        if len(self.l2) > 1:
            l2 = _least_loss(design, target, self.l2, seed=seed)
        return FittedLogistic(solution=logistic_solution(design, target, l2=l2), l2=l2)


def _least_loss(design: Floats, target: Floats, l2: tuple[float, ...], *, seed: int) -> float:
    kept = np.random.default_rng(seed).random(len(design)) >= _HELD_OUT
    # An arm with few outcomes may have none on one side: the others choose for it.
    sided = ~np.isnan(target[kept]).all(axis=0) & ~np.isnan(target[~kept]).all(axis=0)
    if not sided.any():
        return l2[len(l2) // 2]
    both = np.flatnonzero(sided)[:_MOST_ASKED]
    held = target[~kept][:, both]

    def loss(solution: LogisticSolution) -> float:
        chance = np.clip(solution.predicted(design[~kept]), 1e-9, 1.0 - 1e-9)
        return -float(np.nansum(held * np.log(chance) + (1.0 - held) * np.log(1.0 - chance)))

    solutions = logistic_solutions(design[kept], target[kept][:, both], l2=l2)
    return min(zip(l2, map(loss, solutions), strict=True), key=lambda pair: pair[1])[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedLogistic:
    """Estimates qualities as probabilities."""

    solution: LogisticSolution
    l2: float

    @property
    def kind(self) -> EstimateKind:
        """Of qualities."""
        return "quality"

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries."""
        return Estimates(mean=self.solution.predicted(queries.embeddings.astype(np.float64)))

    def head(self) -> onnx.GraphProto:
        """The same computation in ONNX."""
        graph, solution = HeadGraph(), self.solution
        state = graph.embedding(len(solution.weights))
        logit = graph.op("MatMul", state, graph.floats(solution.weights))
        return graph.finished(
            graph.op("Sigmoid", graph.op("Add", logit, graph.floats(solution.bias)))
        )
