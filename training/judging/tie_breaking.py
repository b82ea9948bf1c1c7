"""From estimates to the arm that is called: the largest, ties broken at random with a seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError

Floats = NDArray[np.float64]


def choices(values: Floats, present: NDArray[np.bool_], *, seed: int) -> NDArray[np.intp]:
    """The arm of the largest value in each row, shape (n,).

    Parameters
    ----------
    values : ndarray, shape (n, m)
        Higher is better. A row of equal values gives each of its arms the same chance.
    present : ndarray of bool, shape (n, m)
        Whether the row has an outcome of the arm. A router is judged on outcomes that exist, so it
        chooses among these.
    seed : int

    Raises
    ------
    DataError
        If the shapes differ, a present value is NaN, or a row has no arm.
    """
    if values.shape != present.shape or values.ndim != 2:
        raise DataError(f"values have shape {values.shape}, outcomes {present.shape}; give one")
    if np.isnan(values[present]).any():
        raise DataError("an estimate is NaN; an estimator gives a number for every arm")
    if not present.any(axis=1).all():
        raise DataError("a row has no outcome of any arm; leave it out")
    held = np.where(present, values, -np.inf)
    best = present & (held == held.max(axis=1, keepdims=True))
    draw = np.random.default_rng(seed).random(best.shape)
    found: NDArray[np.intp] = np.where(best, draw, -1.0).argmax(axis=1)
    return found


def at_choices(values: Floats, chosen: NDArray[np.intp]) -> Floats:
    """The chosen column's value of each row, shape (n,)."""
    found: Floats = np.take_along_axis(values, chosen[:, None], axis=1)[:, 0]
    return found
