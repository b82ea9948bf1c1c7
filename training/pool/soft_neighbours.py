"""The nearest rows and how much each of them weighs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NEAREST_WEIGHT = 1e-6
"""What every neighbour weighs at least, so that equally near ones have a mean."""


def soft_neighbours(cosine: Floats, k: int) -> tuple[NDArray[np.intp], Floats]:
    """Of each query the k nearest rows and their weights, both of shape (n, k).

    A neighbour weighs by how much nearer it is than the first row left out: one that comes or goes
    weighs nothing then, and the prediction has no steps.

    Parameters
    ----------
    cosine : ndarray, shape (n, rows)
    k : int
        At most the number of rows.
    """
    nearest = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
    near = np.take_along_axis(cosine, nearest, axis=1)
    last = np.full((len(cosine), 1), -1.0)  # all rows are neighbours: the least there can be
    if k < cosine.shape[1]:
        last = -np.partition(-cosine, k, axis=1)[:, k : k + 1]
    return nearest, np.maximum(near - last, 0.0) + NEAREST_WEIGHT
