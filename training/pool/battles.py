"""Outcomes as battles: of two arms on one query, the one of larger quality wins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def wins(quality: Floats) -> Floats:
    """How often each arm beats each other one: 1, or 1/2 where they tie.

    Parameters
    ----------
    quality : ndarray, shape (n, m)
        NaN where a cell is missing: that arm fights nobody there.

    Returns
    -------
    ndarray, shape (n, m, m)
        ``[:, a, b]`` is a's share of the battle with b; 0 on the diagonal.
    """
    off = quality[:, :, None] - quality[:, None, :]
    won = np.where(np.isnan(off), 0.0, 0.5 * (1.0 + np.sign(np.nan_to_num(off))))
    fought = 1.0 - np.eye(quality.shape[1])
    shares: Floats = won * fought
    return shares


def strengths(won: Floats, strength: Floats, *, steps: int) -> Floats:
    """Bradley-Terry strengths by Newman's iteration (arXiv 2207.00076, eq. 27).

    All arms move at once, each halfway in the logarithm: moved the whole way, two arms would change
    places for ever (their ratio x becomes r ** 2 / x, whose fixed point is r).

    Parameters
    ----------
    won : ndarray, shape (batch, m, m)
        ``[:, a, b]`` is how often a beat b; above 0 off the diagonal.
    strength : ndarray, shape (m,) or (batch, m)
        Where to start; above 0.
    steps : int

    Returns
    -------
    ndarray, shape (batch, m)
        Of geometric mean 1.
    """
    held = np.broadcast_to(strength, won.shape[:2])
    lost = won.transpose(0, 2, 1)
    for _ in range(steps):
        both = held[:, :, None] + held[:, None, :]
        gained = (won * held[:, None, :] / both).sum(axis=2)
        held = np.sqrt(held * gained / (lost / both).sum(axis=2))
        held = held / np.exp(np.log(held).mean(axis=1, keepdims=True))
    return held
