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
    n = differences.shape[1]
    wanted = math.log(1.0 / delta)
    stake = np.empty_like(differences)
    stake[:, 0] = 0.25
    np.cumsum(np.square(differences[:, :-1]), axis=1, out=stake[:, 1:])
    stake[:, 1:] += 0.25
    # sqrt(2 wanted / (n s)), where s is the running sum over the count of rows.
    stake /= np.arange(1, n + 1)
    np.divide(2.0 * wanted / n, stake, out=stake)
    np.sqrt(stake, out=stake)
    np.minimum(stake, _MOST, out=stake)
    stake *= limit - differences
    capital = np.cumsum(np.log1p(stake, out=stake), axis=1, out=stake)
    held: NDArray[np.bool_] = capital.max(axis=1) >= wanted
    return held
