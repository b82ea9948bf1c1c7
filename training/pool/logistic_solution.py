"""Logistic regression of several columns of soft labels on one design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError, TrainingError

Floats = NDArray[np.float64]

_MOST_STEPS = 2000
_SETTLED = 1e-7
_LEVEL = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogisticSolution:
    """Weights of shape (p, m) and biases (m,)."""

    weights: Floats
    bias: Floats

    def predicted(self, design: Floats) -> Floats:
        """Probabilities of rows of shape (n, p): shape (n, m)."""
        return sigmoid(design @ self.weights + self.bias)


def logistic_solution(design: Floats, target: Floats, *, l2: float) -> LogisticSolution:
    """Minimise, for each arm, the summed cross-entropy plus l2 / 2 times its squared weights.

    Newton's steps with one Hessian for all arms: the design's own, times each arm's mean
    p (1 - p). Where a step makes an arm's loss larger, it is taken back and that factor doubled,
    and comes down again slowly. Well above 1/4 no step can fail (Boehning and Lindsay 1988), so
    that the loss of every arm falls.

    Parameters
    ----------
    design : ndarray, shape (n, p)
    target : ndarray, shape (n, m)
        In [0, 1]; NaN where a cell is missing. Those of an arm may all be 0 or all 1.
    l2 : float
        Above 0; the bias is not penalised.

    Raises
    ------
    ConfigError
        If l2 is not above 0.
    DataError
        If a target is outside [0, 1].
    TrainingError
        If it does not converge.
    """
    if not l2 > 0.0:
        raise ConfigError(f"l2 is {l2}; it must be above 0")
    problem = _Problem.of(design, target, l2)
    arms = target.shape[1]
    start = np.clip(problem.wanted.sum(0) / problem.present.sum(0), _LEVEL, 1.0 - _LEVEL)
    weights, bias = np.zeros((design.shape[1], arms)), np.log(start / (1.0 - start))
    bend = start * (1.0 - start)
    loss, slope, bias_slope, curve = problem.at(weights, bias)
    for _ in range(_MOST_STEPS):
        step = slope / (bend * problem.sizes[:, None] + l2)
        bias_step = bias_slope / (bend * problem.present.sum(0))
        if max(np.abs(step).max(), np.abs(bias_step).max()) < _SETTLED:
            turned = problem.vectors @ weights
            return LogisticSolution(weights=turned, bias=bias - problem.middle @ turned)
        tried = problem.at(weights - step, bias - bias_step)
        fell = tried[0] <= loss + 1e-12 * np.abs(loss)
        bend = np.where(fell, np.maximum(curve, 0.8 * bend), 2.0 * bend)
        weights, bias = (
            np.where(fell, weights - step, weights),
            np.where(fell, bias - bias_step, bias),
        )
        loss, slope, bias_slope, curve = (
            np.where(fell, new, old)
            for new, old in zip(tried, (loss, slope, bias_slope, curve), strict=True)
        )
    raise TrainingError(f"logistic regression did not converge with l2 {l2}; give a larger one")


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """The design turned to its eigenvectors, (n, p), and what is wanted there."""

    turned: Floats
    vectors: Floats
    sizes: Floats
    middle: Floats
    wanted: Floats
    present: Floats
    l2: float

    @classmethod
    def of(cls, design: Floats, target: Floats, l2: float) -> _Problem:
        present = ~np.isnan(target)
        wanted = np.where(present, target, 0.0)
        if wanted.min() < 0.0 or wanted.max() > 1.0:
            worst = wanted.min() if wanted.min() < 0.0 else wanted.max()
            raise DataError(
                f"a quality is {worst}: logistic regression takes labels from 0 to 1; take ridge"
            )
        means = wanted.sum(0) / present.sum(0)
        # Labels that are all one value have their bias at infinity.
        level = (means == 0.0) | (means == 1.0)
        wanted = np.where(present & level, np.clip(wanted, _LEVEL, 1.0 - _LEVEL), wanted)
        middle = design.mean(axis=0)
        centred = design - middle
        sizes, vectors = np.linalg.eigh(centred.T @ centred)
        return cls(
            centred @ vectors,
            vectors,
            np.maximum(sizes, 0.0),
            middle,
            wanted,
            present.astype(np.float64),
            l2,
        )

    def at(self, weights: Floats, bias: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Each arm's loss, its slope by the weights (p, m) and by the bias, its p (1 - p)."""
        logit = self.turned @ weights + bias
        losses = self.present * np.logaddexp(0.0, logit) - self.wanted * logit
        loss = losses.sum(axis=0) + 0.5 * self.l2 * np.square(weights).sum(axis=0)
        chance = self.present * sigmoid(logit)
        off = chance - self.wanted
        curve = (chance * (1.0 - chance)).sum(axis=0) / self.present.sum(axis=0)
        return loss, self.turned.T @ off + self.l2 * weights, off.sum(axis=0), curve


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-values))."""
    # tanh does not overflow, and numpy has no logistic function of its own.
    return 0.5 * (1.0 + np.tanh(0.5 * values))
