"""Qualities with missing cells: means over those that are there."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.pool.estimator import Queries

Floats = NDArray[np.float64]


def checked(queries: Queries, quality: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Qualities of shape (n, m) with 0 in missing cells, and which cells are there.

    Raises
    ------
    DataError
        If the shapes differ, there is no row, an embedding or a quality is not finite, or an arm
        has no outcome at all.
    """
    held = np.asarray(quality, dtype=np.float64)
    if held.ndim != 2 or len(held) != len(queries) or not held.size:
        raise DataError(f"qualities of shape {held.shape} for {len(queries)} queries; give (n, m)")
    if np.isinf(held).any() or not np.isfinite(queries.embeddings).all():
        raise DataError("a quality is infinite, or an embedding is not finite; repair the data")
    present = ~np.isnan(held)
    absent = np.flatnonzero(~present.any(axis=0))
    if len(absent):
        raise DataError(f"arm {absent[0]} has no outcome among the fitted rows; leave it out")
    return np.where(present, held, 0.0), present


def arm_means(quality: Floats, present: NDArray[np.bool_]) -> Floats:
    """Mean of each arm over its cells, shape (m,)."""
    means: Floats = quality.sum(axis=0) / present.sum(axis=0)
    return means


def arm_spreads(quality: Floats, present: NDArray[np.bool_]) -> Floats:
    """Variance of each arm over its cells, shape (m,)."""
    off = np.where(present, quality - arm_means(quality, present), 0.0)
    spreads: Floats = np.square(off).sum(axis=0) / present.sum(axis=0)
    return spreads
