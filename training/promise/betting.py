"""A test of the mean of bounded differences, by betting (arXiv 2010.09686, sections 3 and 4).

A gambler starts with 1 and stakes a part of what is held, row by row, on the next difference x
being under the limit m: a row multiplies the capital by 1 + stake (m - x). If the true mean is m or
more, the capital is a supermartingale, so the chance that it ever reaches 1 / delta is at most
delta (Ville). A stake looks at earlier rows only. Any bounded distribution will do; nothing is
approximated.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_MOST = 0.9
"""Of 1, where one row could take all: differences are at most 1 above the limit."""
_NEAR = 6.0
"""Standard errors above the mean within which the limit is looked for first."""
_HALVINGS = 9


def rejects(differences: Floats, limit: float, delta: float) -> NDArray[np.bool_]:
    """Whether a mean of ``limit`` or more is rejected at level ``delta``.

    The stake is the predictable one of section 3.2, sqrt(2 log(1 / delta) / (n s)), s being the
    mean square of the rows before (and one pseudo-row of 1/4).

    Parameters
    ----------
    differences : ndarray, shape (m, n)
        At most 1; a row a hypothesis, n draws each. Their order must not depend on their values.
    limit : float
        In [0, 1).

    Returns
    -------
    ndarray of bool, shape (m,)
    """
    wanted = math.log(1.0 / delta)
    stake = _stakes(differences, wanted)
    stake *= limit - differences
    capital = np.cumsum(np.log1p(stake, out=stake), axis=1, out=stake)
    held: NDArray[np.bool_] = capital.max(axis=1) >= wanted
    return held


def upper_limits(differences: Floats, delta: float, *, top: float = 1.0) -> Floats:
    """Upper confidence limits of the means at ``1 - delta``, each taken alone and at least 0.

    Stakes do not look at the limit, so a larger one is rejected wherever a smaller one is, and
    halving finds the least that is not below the sample mean.

    Parameters
    ----------
    differences : ndarray, shape (m, n)
        As of :func:`rejects`.
    delta : float
    top : float
        At most 1; no mean is above it.

    Returns
    -------
    ndarray, shape (m,)
    """
    n, wanted = differences.shape[1], math.log(1.0 / delta)
    stake = _stakes(differences, wanted)
    fixed = stake * differences

    def rejected(limit: Floats) -> NDArray[np.bool_]:
        gained = np.log1p(limit[:, None] * stake - fixed)
        held: NDArray[np.bool_] = np.cumsum(gained, axis=1, out=gained).max(axis=1) >= wanted
        return held

    mean = differences.mean(axis=1)
    low = np.clip(mean, 0.0, top)
    near = low + _NEAR * (differences.std(axis=1) / math.sqrt(n) + 1.0 / n)
    high = np.where(rejected(np.minimum(near, top)), np.minimum(near, top), top)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        held = rejected(middle)
        low, high = np.where(held, low, middle), np.where(held, middle, high)
    return high


def _stakes(differences: Floats, wanted: float) -> Floats:
    """The part of the capital that is staked on each row, from those before it."""
    n = differences.shape[1]
    stake = np.empty_like(differences)
    stake[:, 0] = 0.25
    np.cumsum(np.square(differences[:, :-1]), axis=1, out=stake[:, 1:])
    stake[:, 1:] += 0.25
    # sqrt(2 wanted / (n s)), where s is the running sum over the count of rows.
    stake /= np.arange(1, n + 1)
    np.divide(2.0 * wanted / n, stake, out=stake)
    np.sqrt(stake, out=stake)
    return np.minimum(stake, _MOST, out=stake)
