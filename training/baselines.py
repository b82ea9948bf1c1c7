"""What a trained router must beat: random, length, nearest neighbours, a linear model.

Each is fitted on rows and then gives scores of shape (n,) in [0, 1]; high means the edge will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError, TrainingError
from hybridroute.training.curve import columns, curve_of
from hybridroute.training.metrics import area_over_random

Floats = NDArray[np.float64]

NEAREST_WEIGHT = 1e-6
"""What every neighbour weighs at least, so that equally near ones have a mean."""
_BLOCK = 512
_NEWTON_STEPS = 50
_ALPHAS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomBaseline:
    """Uniform scores."""

    seed: int = 0

    def score(self, n: int) -> Floats:
        """Scores of n rows."""
        return np.random.default_rng(self.seed).random(n)


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthBaseline:
    """The number of characters; ``long_to_cloud`` is learnt."""

    long_to_cloud: bool
    scale: float

    @classmethod
    def fit(cls, texts: Sequence[str], edge_q: ArrayLike, cloud_q: ArrayLike) -> LengthBaseline:
        """Choose the direction with the larger area under the curve on these rows."""
        lengths = _lengths(texts)
        area = area_over_random(curve_of(-lengths, edge_q, cloud_q))
        return cls(long_to_cloud=area >= 0.0, scale=max(float(np.median(lengths)), 1.0))

    def score(self, texts: Sequence[str]) -> Floats:
        """Scores of n texts; equal lengths tie."""
        short = 1.0 / (1.0 + _lengths(texts) / self.scale)
        return short if self.long_to_cloud else 1.0 - short


def _lengths(texts: Sequence[str]) -> Floats:
    return np.array([len(text) for text in texts], dtype=np.float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NeighbourBaseline:
    """The mean gap q(edge) - q(cloud) of the k nearest fitted rows, by cosine.

    Simple as it is, it often matches trained routers (arXiv 2505.12601).

    Parameters
    ----------
    k : int
    embeddings : ndarray, shape (n, d)
        Of unit length.
    gap : ndarray, shape (n,)
    soft : bool
        Weigh each neighbour by how much nearer it is than the first row left out: one that comes
        or goes weighs nothing then, and the prediction has no steps.
    """

    k: int
    embeddings: Floats
    gap: Floats
    soft: bool = False

    @classmethod
    def fit(
        cls,
        embeddings: ArrayLike,
        edge_q: ArrayLike,
        cloud_q: ArrayLike,
        *,
        k: int,
        soft: bool = False,
    ) -> NeighbourBaseline:
        """Keep the rows: embeddings of shape (n, d), qualities of shape (n,).

        Raises
        ------
        ConfigError
            If k < 1, or above the number of rows.
        DataError
            If shapes differ or a value is not finite.
        """
        held = columns(edge_q=edge_q, cloud_q=cloud_q)
        gap = held["edge_q"] - held["cloud_q"]
        unit = _unit_rows(embeddings)
        _same_length(unit, gap)
        if not 1 <= k <= len(gap):
            raise ConfigError(f"k is {k}; it must be from 1 to the number of rows, {len(gap)}")
        return cls(k=k, embeddings=unit, gap=gap, soft=soft)

    def score(self, embeddings: ArrayLike) -> Floats:
        """Scores of embeddings of shape (n, d): the predicted gap, its range laid on [0, 1]."""
        widest = float(np.abs(self.gap).max()) or 1.0
        return np.clip(0.5 + 0.5 * self.predicted_gap(embeddings) / widest, 0.0, 1.0)

    def predicted_gap(self, embeddings: ArrayLike) -> Floats:
        """Predicted q(edge) - q(cloud) of embeddings of shape (n, d), in units of q."""
        unit = _unit_rows(embeddings)
        found = np.empty(len(unit), dtype=np.float64)
        for start in range(0, len(unit), _BLOCK):
            cosine = unit[start : start + _BLOCK] @ self.embeddings.T
            nearest = np.argpartition(-cosine, self.k - 1, axis=1)[:, : self.k]
            weights = self._weights(cosine, nearest) if self.soft else None
            found[start : start + _BLOCK] = np.average(self.gap[nearest], axis=1, weights=weights)
        return found

    def _weights(self, cosine: Floats, nearest: NDArray[np.intp]) -> Floats:
        """Of each query's neighbours, shape (n, k)."""
        near = np.take_along_axis(cosine, nearest, axis=1)
        last = np.full((len(cosine), 1), -1.0)  # all rows are neighbours: the least there can be
        if self.k < cosine.shape[1]:
            last = -np.partition(-cosine, self.k, axis=1)[:, self.k : self.k + 1]
        weights: Floats = np.maximum(near - last, 0.0) + NEAREST_WEIGHT
        return weights


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogisticBaseline:
    """Logistic regression on embeddings, for labels in [0, 1]."""

    weights: Floats
    bias: float

    @classmethod
    def fit(cls, embeddings: ArrayLike, labels: ArrayLike, *, l2: float = 1.0) -> LogisticBaseline:
        """Minimise the summed cross-entropy plus l2 / 2 times the squared weights, by Newton steps.

        Parameters
        ----------
        embeddings : array_like, shape (n, d)
            Scaled to unit length here.
        labels : array_like, shape (n,)
            In [0, 1].
        l2 : float
            Above 0; the bias is not penalised.

        Raises
        ------
        ConfigError
            If l2 is not above 0.
        TrainingError
            If it does not converge.
        """
        if not l2 > 0.0:
            raise ConfigError(f"l2 is {l2}; it must be above 0")
        target = columns(labels=labels)["labels"]
        if target.min() < 0.0 or target.max() > 1.0:
            raise DataError("labels must be from 0 to 1")
        unit = _unit_rows(embeddings)
        _same_length(unit, target)
        design = np.column_stack([unit, np.ones(len(unit))])
        beta = _newton(design, target, l2)
        return cls(weights=beta[:-1], bias=float(beta[-1]))

    def score(self, embeddings: ArrayLike) -> Floats:
        """The estimated label of embeddings of shape (n, d)."""
        return _sigmoid(_unit_rows(embeddings) @ self.weights + self.bias)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RidgeBaseline:
    """Ridge regression of the gap q(edge) - q(cloud) on embeddings of unit length."""

    weights: Floats
    bias: float
    alpha: float

    @classmethod
    def fit(
        cls,
        embeddings: ArrayLike,
        edge_q: ArrayLike,
        cloud_q: ArrayLike,
        *,
        alphas: Sequence[float] = _ALPHAS,
    ) -> RidgeBaseline:
        """Take the penalty with the least squared error where each row is left out in turn.

        Parameters
        ----------
        embeddings : array_like, shape (n, d)
            Scaled to unit length here.
        edge_q, cloud_q : array_like, shape (n,)
        alphas : sequence of float
            Above 0; the bias is not penalised.

        Raises
        ------
        ConfigError
            If there is no alpha, or one is not above 0.
        DataError
            If shapes differ or a value is not finite.
        """
        if not alphas or min(alphas) <= 0.0:
            raise ConfigError(f"alphas are {list(alphas)}; give one or more above 0")
        held = columns(edge_q=edge_q, cloud_q=cloud_q)
        gap = held["edge_q"] - held["cloud_q"]
        unit = _unit_rows(embeddings)
        _same_length(unit, gap)
        middle, mean = unit.mean(axis=0), float(gap.mean())
        left, size, right = np.linalg.svd(unit - middle, full_matrices=False)
        wanted = left.T @ (gap - mean)

        def left_out(alpha: float) -> float:
            shrunk = size**2 / (size**2 + alpha)
            off = gap - mean - left @ (shrunk * wanted)
            weight = 1.0 / len(gap) + np.square(left) @ shrunk  # the hat matrix's diagonal
            return float(np.square(off / np.maximum(1.0 - weight, 1e-9)).mean())

        alpha = min(alphas, key=left_out)
        weights = right.T @ (size / (size**2 + alpha) * wanted)
        return cls(weights=weights, bias=mean - float(middle @ weights), alpha=alpha)

    def predicted_gap(self, embeddings: ArrayLike) -> Floats:
        """Predicted q(edge) - q(cloud) of embeddings of shape (n, d), in units of q."""
        return _unit_rows(embeddings) @ self.weights + self.bias


def _newton(design: Floats, target: Floats, l2: float) -> Floats:
    # A trace of penalty on the bias keeps the step finite where all labels are equal.
    penalty = np.append(np.full(design.shape[1] - 1, l2), 1e-6)
    beta = np.zeros(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        chance = _sigmoid(design @ beta)
        slope = design.T @ (chance - target) + penalty * beta
        spread = np.maximum(chance * (1.0 - chance), 1e-9)
        bend = (design * spread[:, None]).T @ design + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        beta -= step
        if np.abs(step).max() < 1e-8:
            return beta
    raise TrainingError(f"logistic regression did not converge with l2 {l2}; give a larger one")


def _sigmoid(values: Floats) -> Floats:
    # tanh does not overflow, and numpy has no logistic function of its own.
    return 0.5 * (1.0 + np.tanh(0.5 * values))


def _unit_rows(embeddings: ArrayLike) -> Floats:
    held = np.asarray(embeddings, dtype=np.float64)
    if held.ndim != 2 or not np.isfinite(held).all():
        raise DataError(f"embeddings has shape {held.shape}; give finite numbers of shape (n, d)")
    norms = np.linalg.norm(held, axis=1, keepdims=True)
    return held / np.where(norms > 0.0, norms, 1.0)


def _same_length(embeddings: Floats, values: Floats) -> None:
    if len(embeddings) != len(values):
        raise DataError(f"{len(embeddings)} embeddings for {len(values)} rows; give one a row")
