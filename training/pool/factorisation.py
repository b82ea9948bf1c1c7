"""Matrix factorisation (RouteLLM, arXiv 2406.18665): an arm's vector times the projected state.

delta(M, q) = w2^T (v_M * (W1^T e + b)), * by elements, and P(A beats B) = sigmoid(delta_A -
delta_B). w2 scales the coordinates of every v_M alike: it is taken into them here, which leaves
what can be learnt as it was. As published: ties are dropped, the state has Gaussian noise of 0.1
while it is fitted (and never afterwards), Adam, weight decay 1e-5. Of our own: fewer dimensions,
larger steps on larger batches, and an end where held-out rows gain no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.training.pool.battles import wins
from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.logistic_solution import sigmoid
from hybridroute.training.pool.masked import checked

Floats = NDArray[np.float64]

_BATCH = 256
_HELD_OUT = 0.1
_MOST_JUDGED = 1000
_AT_ONCE = 24
"""Arms whose battles one step looks at; of more arms so many are drawn for each step."""
_MOMENTS = (0.9, 0.999)
_TINY = 1e-8


class _Factors(NamedTuple):
    """W1 (d, k), b (k,) and the arms' vectors (m, k)."""

    project: Floats
    offset: Floats
    arms: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Factorisation:
    """Fits the factors on the battles of every row's arms."""

    dimensions: int = 64
    noise: float = 0.1
    rate: float = 3e-3
    decay: float = 1e-5
    epochs: int = 60
    patience: int = 5

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        return "mf"

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedFactorisation:
        """Fit on qualities of shape (n, m); where all outcomes tie, every estimate is near 0.

        Raises
        ------
        DataError
            As :func:`checked`.
        """
        held, present = checked(queries, quality)
        target = np.where(present, held, np.nan)
        states = queries.embeddings.astype(np.float64)
        random = np.random.default_rng(seed)
        apart = random.random(len(held)) < _HELD_OUT
        columns = _columns(held.shape[1], random)
        rows, judge = _parts(apart, _has_winner(target[:, columns]))
        factors = self._drawn(states.shape[1], held.shape[1], random)
        adam = _Adam(factors, rate=self.rate, decay=self.decay)
        best, least, since = factors, np.inf, 0
        for _ in range(self.epochs):
            for batch in _batches(rows, random):
                noisy = states[batch] + self.noise * random.normal(size=states[batch].shape)
                chosen = _columns(held.shape[1], random)
                factors = adam.stepped(factors, _slope(factors, noisy, target[batch], chosen)[1])
            if not len(judge):
                best = factors
                continue
            loss = _slope(factors, states[judge], target[judge], columns)[0]
            since += 1
            if loss < least:
                best, least, since = factors, loss, 0
            if since == self.patience:
                break
        return FittedFactorisation(project=best.project, offset=best.offset, arms=best.arms)

    def _drawn(self, width: int, arms: int, random: np.random.Generator) -> _Factors:
        scale = 1.0 / np.sqrt(self.dimensions)
        return _Factors(
            project=random.normal(size=(width, self.dimensions)) * scale,
            offset=np.zeros(self.dimensions),
            # No arm is ahead before a battle has said so.
            arms=np.zeros((arms, self.dimensions)),
        )


class _Adam:
    """Adam (arXiv 1412.6980) with weight decay as a part of the slope, as torch's has it."""

    def __init__(self, factors: _Factors, *, rate: float, decay: float) -> None:
        self._rate, self._decay = rate, decay
        self._means = [np.zeros_like(part) for part in factors]
        self._squares = [np.zeros_like(part) for part in factors]
        self._step = 0

    def stepped(self, factors: _Factors, slopes: _Factors) -> _Factors:
        """The factors after one step."""
        first, second = _MOMENTS
        self._step += 1
        found = []
        for at, (part, slope) in enumerate(zip(factors, slopes, strict=True)):
            pulled = slope + self._decay * part
            self._means[at] = first * self._means[at] + (1.0 - first) * pulled
            self._squares[at] = second * self._squares[at] + (1.0 - second) * np.square(pulled)
            mean = self._means[at] / (1.0 - first**self._step)
            square = self._squares[at] / (1.0 - second**self._step)
            found.append(part - self._rate * mean / (np.sqrt(square) + _TINY))
        return _Factors(*found)


def _columns(arms: int, random: np.random.Generator) -> NDArray[np.intp]:
    if arms <= _AT_ONCE:
        return np.arange(arms)
    return np.sort(random.choice(arms, size=_AT_ONCE, replace=False))


def _has_winner(target: Floats) -> NDArray[np.bool_]:
    """Whether two of each row's outcomes differ, shape (n,): whether there is a battle to judge."""
    largest = np.where(np.isnan(target), -np.inf, target).max(axis=1)
    least = np.where(np.isnan(target), np.inf, target).min(axis=1)
    found: NDArray[np.bool_] = largest > least
    return found


def _parts(
    apart: NDArray[np.bool_], decided: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows to fit on, and decided ones of those set ``apart``, which say when to end.

    Where none of these is decided, all rows are fitted on, for all epochs: the loss of no battle is
    0, the least there is.
    """
    judge = np.flatnonzero(apart & decided)[:_MOST_JUDGED]
    return (np.flatnonzero(~apart) if len(judge) else np.arange(len(apart))), judge


def _batches(rows: NDArray[np.intp], random: np.random.Generator) -> Iterator[NDArray[np.intp]]:
    order = random.permutation(rows)
    return (order[start : start + _BATCH] for start in range(0, len(order), _BATCH))


def _slope(
    factors: _Factors, states: Floats, target: Floats, columns: NDArray[np.intp]
) -> tuple[float, _Factors]:
    """The mean log-loss of the decided battles among the arms at ``columns``, and its slope."""
    projected = states @ factors.project + factors.offset  # (n, k)
    arms = factors.arms[columns]
    delta = projected @ arms.T  # (n, arms)
    won = wins(target[:, columns]) == 1.0  # (n, arms, arms)
    battles = max(int(won.sum()), 1)
    off = delta[:, :, None] - delta[:, None, :]
    loss = float(np.logaddexp(0.0, -off)[won].sum()) / battles
    pull = np.where(won, sigmoid(-off), 0.0) / battles
    by_delta = pull.sum(axis=1) - pull.sum(axis=2)  # a loser is pulled down, a winner up
    by_arms = np.zeros_like(factors.arms)
    by_arms[columns] = by_delta.T @ projected
    by_projected = by_delta @ arms
    return loss, _Factors(
        project=states.T @ by_projected, offset=by_projected.sum(axis=0), arms=by_arms
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedFactorisation:
    """``project`` (d, k), ``offset`` (k,) and a vector for each arm, (m, k)."""

    project: Floats
    offset: Floats
    arms: Floats

    @property
    def kind(self) -> EstimateKind:
        """Log-odds: the differences of two arms' estimates mean something."""
        return "margin"

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries."""
        projected = queries.embeddings @ self.project + self.offset
        return Estimates(mean=projected @ self.arms.T)

    def head(self) -> onnx.GraphProto:
        """The same computation in ONNX."""
        graph = HeadGraph()
        state = graph.embedding(len(self.project))
        projected = graph.op(
            "Add",
            graph.op("MatMul", state, graph.floats(self.project)),
            graph.floats(self.offset),
        )
        return graph.finished(graph.op("MatMul", projected, graph.floats(self.arms.T)))
