"""What a trained router must beat: random, length, nearest neighbours, a linear model.

Each is fitted on rows and then gives scores of shape (n,) in [0, 1]; high means the edge will do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.curve import columns, curve_of
from hybridroute.training.metrics import area_over_random
from hybridroute.training.pool.logistic_solution import logistic_solution, sigmoid
from hybridroute.training.pool.ridge_solution import ALPHAS, ridge_solution
from hybridroute.training.pool.soft_neighbours import soft_neighbours

Floats = NDArray[np.float64]

_BLOCK = 512


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
            nearest, near = soft_neighbours(cosine, self.k)
            weights = near if self.soft else None
            found[start : start + _BLOCK] = np.average(self.gap[nearest], axis=1, weights=weights)
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LogisticBaseline:
    """Logistic regression on embeddings, for labels in [0, 1]."""

    weights: Floats
    bias: float

    @classmethod
    def fit(cls, embeddings: ArrayLike, labels: ArrayLike, *, l2: float = 1.0) -> LogisticBaseline:
        """Minimise the summed cross-entropy plus l2 / 2 times the squared weights.

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
        target = columns(labels=labels)["labels"]
        if target.min() < 0.0 or target.max() > 1.0:
            raise DataError("labels must be from 0 to 1")
        unit = _unit_rows(embeddings)
        _same_length(unit, target)
        found = logistic_solution(unit, target[:, None], l2=l2)
        return cls(weights=found.weights[:, 0], bias=float(found.bias[0]))

    def score(self, embeddings: ArrayLike) -> Floats:
        """The estimated label of embeddings of shape (n, d)."""
        return sigmoid(_unit_rows(embeddings) @ self.weights + self.bias)


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
        alphas: Sequence[float] = ALPHAS,
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
        held = columns(edge_q=edge_q, cloud_q=cloud_q)
        gap = held["edge_q"] - held["cloud_q"]
        unit = _unit_rows(embeddings)
        _same_length(unit, gap)
        found = ridge_solution(unit, gap[:, None], alphas=alphas)
        return cls(weights=found.weights[:, 0], bias=float(found.bias[0]), alpha=found.alpha)

    def predicted_gap(self, embeddings: ArrayLike) -> Floats:
        """Predicted q(edge) - q(cloud) of embeddings of shape (n, d), in units of q."""
        return _unit_rows(embeddings) @ self.weights + self.bias


def _unit_rows(embeddings: ArrayLike) -> Floats:
    held = np.asarray(embeddings, dtype=np.float64)
    if held.ndim != 2 or not np.isfinite(held).all():
        raise DataError(f"embeddings has shape {held.shape}; give finite numbers of shape (n, d)")
    norms = np.linalg.norm(held, axis=1, keepdims=True)
    return held / np.where(norms > 0.0, norms, 1.0)


def _same_length(embeddings: Floats, values: Floats) -> None:
    if len(embeddings) != len(values):
        raise DataError(f"{len(embeddings)} embeddings for {len(values)} rows; give one a row")
