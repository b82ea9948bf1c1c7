"""Logistic regression of several columns of soft labels on one design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError, TrainingError

Floats = NDArray[np.float64]

_MOST_STEPS = 100
_SETTLED = 1e-5
"""A step of this length is the last: near the minimum the next one would be about its square."""
_SHARE = 1e-4
_SMALLEST = 1e-10
_TINY = 1e-300
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

    Newton's method for all arms at once: each step is solved for by conjugate gradients, as
    exactly as the distance still to go is worth, and halved until the arm's loss falls (Nocedal and
    Wright 2006, algorithm 7.1). The loss is convex, so this ends at its minimum from anywhere.

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
    return logistic_solutions(design, target, l2=(l2,))[0]


def logistic_solutions(
    design: Floats, target: Floats, *, l2: Sequence[float]
) -> tuple[LogisticSolution, ...]:
    """As :func:`logistic_solution` with each of these penalties, in their order.

    The largest is solved for first, and each next one from where the last ended: that is nearer.
    """
    for one in l2:
        if not one > 0.0:
            raise ConfigError(f"l2 is {one}; it must be above 0")
    problem = _Problem.of(design, target)
    point = problem.start()
    found: dict[float, LogisticSolution] = {}
    for one in sorted(l2, reverse=True):
        problem = problem.with_penalty(one)
        point = _minimum(problem, point)
        turned = problem.vectors @ point[:-1]
        found[one] = LogisticSolution(weights=turned, bias=point[-1] - problem.middle @ turned)
    return tuple(found[one] for one in l2)


def _minimum(problem: _Problem, point: Floats) -> Floats:
    state = problem.at(point)
    for _ in range(_MOST_STEPS):
        step = problem.newton_step(state)
        point, state = _lower(problem, point, state, step)
        if np.abs(step).max() < _SETTLED:
            return point
    raise TrainingError(
        f"logistic regression with l2 {problem.penalty[0, 0]} did not converge in {_MOST_STEPS} "
        f"steps on {len(problem.design)} rows; give a larger l2"
    )


def _lower(problem: _Problem, point: Floats, state: _State, step: Floats) -> tuple[Floats, _State]:
    """Go along each arm's step, halved until its loss falls by a share of what the slope says."""
    size = np.ones(point.shape[1])
    fall = (state.slope * step).sum(axis=0)
    while True:
        tried = point - size * step
        there = problem.at(tried)
        # At the minimum the loss moves by less than its last digits.
        slack = 1e-12 * np.abs(state.loss)
        fell = there.loss <= state.loss - _SHARE * size * fall + slack
        if fell.all() or size.min() < _SMALLEST:
            return tried, there
        size = np.where(fell, size, 0.5 * size)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """At a point: each arm's loss (m,), its slope (p + 1, m), and every row's p (1 - p), (n, m)."""

    loss: Floats
    slope: Floats
    bend: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Problem:
    """The design, centred, turned to its eigenvectors and with a column of ones: (n, p + 1).

    In that basis the Hessian is nearly diagonal, which is what makes few steps enough.
    """

    design: Floats
    vectors: Floats
    sizes: Floats
    middle: Floats
    wanted: Floats
    present: Floats
    penalty: Floats

    @classmethod
    def of(cls, design: Floats, target: Floats) -> _Problem:
        """Without a penalty."""
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
        rows, width = design.shape
        return cls(
            design=np.column_stack((centred @ vectors, np.ones(rows))),
            vectors=vectors,
            sizes=np.append(np.maximum(sizes, 0.0), rows),
            middle=middle,
            wanted=wanted,
            present=present.astype(np.float64),
            penalty=np.zeros((width + 1, 1)),
        )

    def with_penalty(self, l2: float) -> _Problem:
        """On the weights; the bias has none."""
        return replace(self, penalty=np.append(np.full(len(self.vectors), l2), 0.0)[:, None])

    def start(self) -> Floats:
        """No weights, and biases that give each arm's mean: shape (p + 1, m)."""
        means = self.wanted.sum(0) / self.present.sum(0)
        level = np.clip(means, _LEVEL, 1.0 - _LEVEL)
        point = np.zeros((self.design.shape[1], len(means)))
        point[-1] = np.log(level / (1.0 - level))
        return point

    def at(self, point: Floats) -> _State:
        """The losses of weights and biases of shape (p + 1, m), and how they bend."""
        logit = self.design @ point
        losses = self.present * np.logaddexp(0.0, logit) - self.wanted * logit
        chance = sigmoid(logit)
        return _State(
            loss=losses.sum(axis=0) + 0.5 * (self.penalty * np.square(point)).sum(axis=0),
            slope=self.design.T @ (self.present * chance - self.wanted) + self.penalty * point,
            bend=self.present * chance * (1.0 - chance),
        )

    def newton_step(self, state: _State) -> Floats:
        """The Hessians' inverses times the slopes, shape (p + 1, m), by conjugate gradients."""
        bend = state.bend.sum(axis=0) / len(self.design)
        scale = self.sizes[:, None] * bend + self.penalty
        step, rest = np.zeros_like(state.slope), state.slope
        first = np.sqrt((rest * rest / scale).sum(axis=0))
        aim = first * np.minimum(0.1, first)
        along = rest / scale
        product = (rest * along).sum(axis=0)
        for _ in range(len(rest)):
            busy = np.sqrt(product) > aim
            if not busy.any():
                break
            bent = self.design.T @ (state.bend * (self.design @ along)) + self.penalty * along
            size = np.where(busy, product / np.maximum((along * bent).sum(axis=0), _TINY), 0.0)
            step = step + size * along
            rest = rest - size * bent
            scaled = rest / scale
            before, product = product, (rest * scaled).sum(axis=0)
            along = scaled + np.where(busy, product / np.maximum(before, _TINY), 0.0) * along
        return step


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-values))."""
    # tanh does not overflow, and numpy has no logistic function of its own.
    return 0.5 * (1.0 + np.tanh(0.5 * values))
