"""An exact test of the mean of differences that are -1, 0 or +1, as those of 0/1 qualities are.

With p+ and p- the chances of +1 and -1, the hypothesis is p+ - p- >= limit. Only one thing more is
unknown, the share d = p+ + p- of rows where the arms differ, and it takes two steps to be rid of
it (Berger and Boos, JASA 1994): d is below its exact upper confidence limit but for a chance
``_SPENT`` times delta; for every d up to there the sum's exact lower quantile at what is left of
delta is computed, and the least of them is the critical value.

Between two values of d the quantile is bounded, not interpolated: taking the larger p- and the
smaller p+ of the interval makes small sums likelier than any d inside does. The intervals are so
short that this moves the sum by at most ``step_for(n)`` of its standard deviations.

An upper confidence limit is the least limit that this test rejects. For one row of counts no
intervals are needed up to d = 1/2: there the sum's generating polynomial has real roots, so that
the sum is one of 0/1 steps, whose mode is not below its mean rounded down (Darroch 1964). With d
the tail changes by n / 2 (Pr[S' = s + 1] - Pr[S' = s]), S' summing n - 1 steps; below the mode that
is at least 0, and the largest d is the worst.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.promise.lattice_sums import (
    Counts,
    Floats,
    lower_quantile,
    lower_tail,
)

_SPENT = 0.05
_STEP = 0.02
_STEP_LONG = 0.1
_LONG = 2000
_MONOTONE = 0.5
"""Up to this share of differing rows the largest is the worst."""
_PIECES = 64
_HALVINGS = 14
_SHARE_HALVINGS = 30


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CriticalValues:
    """Which sums reject, for each number of rows that differ.

    Parameters
    ----------
    n : int
    reached : ndarray of int64, shape (m,)
        The most differing rows that rule out the interval's d; ascending.
    sums : ndarray of int64, shape (m,)
        The largest sum that rejects every d up to the end of the interval.
    """

    n: int
    reached: Counts
    sums: Counts

    def rejects(self, differing: Counts, total: Counts) -> NDArray[np.bool_]:
        """Whether p+ - p- >= limit is rejected.

        Parameters
        ----------
        differing, total : ndarray of int64, any one shape
            The number of rows that are not 0, and the sum of all rows.
        """
        last = np.searchsorted(self.reached, differing, side="left") - 1
        held: NDArray[np.bool_] = (last < 0) | (total <= self.sums[np.maximum(last, 0)])
        return held


def critical_values(
    n: int, limit: float, delta: float, *, most: int, coarser: float = 1.0
) -> CriticalValues:
    """The critical values at level ``delta`` for up to ``most`` differing rows.

    Parameters
    ----------
    n : int
        Rows.
    limit : float
        In (0, 1): the mean that is to be ruled out.
    delta : float
        In (0, 1).
    most : int
        The largest number of differing rows that will be asked about.
    coarser : float
        Intervals so many times as long are faster and a little more careful, never less valid.
    """
    spent = delta * _SPENT
    edges = _edges(n, limit, most, coarser * step_for(n))
    low, high = edges[:-1], edges[1:]
    reached = lower_quantile(n, low, np.zeros_like(low), spent)
    sums = lower_quantile(n, (low + limit) / 2.0, (high - limit) / 2.0, delta - spent)
    return CriticalValues(
        n=n, reached=np.maximum.accumulate(reached), sums=np.minimum.accumulate(sums)
    )


def step_for(n: int) -> float:
    """The shift of the sum, in its standard deviations, by which an interval of d is long.

    Up to 2,000 rows .02, then so that it stays the same part of a drop, and .1 at most.
    """
    return min(_STEP * max(1.0, float(np.sqrt(n / _LONG))), _STEP_LONG)


def lower_share(successes: int, n: int, level: float) -> float:
    """The exact lower confidence limit of a share at ``1 - level`` (Clopper and Pearson, 1934)."""
    if successes == 0:
        return 0.0
    low, high = 0.0, successes / n
    for _ in range(40):
        middle = (low + high) / 2.0
        # So many successes or more are so many failures or fewer.
        failures = lower_quantile(n, np.array([1.0 - middle]), np.zeros(1), level)[0]
        low, high = (middle, high) if n - successes <= failures else (low, middle)
    return low


def upper_shares(successes: Counts, n: int, level: float) -> Floats:
    """The exact upper confidence limits of shares at ``1 - level``, shape of ``successes``."""
    low, high = successes / n, np.ones(len(successes))
    for _ in range(_SHARE_HALVINGS):
        middle = (low + high) / 2.0
        held = lower_tail(n, middle, np.zeros_like(middle), successes) > level
        low, high = np.where(held, middle, low), np.where(held, high, middle)
    return high


def upper_limits(n: int, differing: Counts, total: Counts, delta: float) -> Floats:
    """Upper confidence limits of p+ - p- at ``1 - delta``, each taken alone and at least 0.

    Parameters
    ----------
    n : int
        Rows.
    differing, total : ndarray of int64, shape (m,)
        The number of rows that are not 0, and the sum of all rows.
    delta : float
        In (0, 1).

    Returns
    -------
    ndarray, shape (m,)
        Within 1e-4 of the least limit that the test rejects, and never below it.
    """
    spent = delta * _SPENT
    top = upper_shares(differing, n, spent)
    low, high = np.zeros(len(top)), top
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        rejected = _worst_tails(n, top, total, middle) <= delta - spent
        low, high = np.where(rejected, low, middle), np.where(rejected, middle, high)
    return high


def _worst_tails(n: int, top: Floats, total: Counts, limit: Floats) -> Floats:
    """The largest Pr[S <= total] over every d from ``limit`` to ``top``; never too small."""
    share = np.maximum(np.minimum(top, _MONOTONE), limit)
    worst = lower_tail(n, (share + limit) / 2.0, (share - limit) / 2.0, total)
    # Nearer to the mean than this the argument above does not hold; nothing is rejected there.
    worst = np.where(total + 1 > (n - 1) * limit, 1.0, worst)
    large = np.flatnonzero(top > _MONOTONE)
    if len(large):
        start = np.maximum(_MONOTONE, limit[large])[:, None]
        edges = start + (top[large, None] - start) * np.arange(_PIECES + 1) / _PIECES
        plus = (edges[:, :-1] + limit[large, None]) / 2.0
        minus = (edges[:, 1:] - limit[large, None]) / 2.0
        at = np.repeat(total[large], _PIECES)
        tails = lower_tail(n, plus.ravel(), minus.ravel(), at).reshape(plus.shape)
        worst[large] = np.maximum(worst[large], tails.max(axis=1))
    return worst


def _edges(n: int, limit: float, most: int, step: float) -> NDArray[np.float64]:
    """Values of d from ``limit`` to where ``most`` differing rows are surely ruled out, or 1."""
    share = min(most / n, 1.0)
    # Beyond every confidence limit that delta can ask for.
    enough = min(1.0, share + 7.0 * np.sqrt((share + 20.0 / n) / n) + 40.0 / n)
    held = [limit]
    while held[-1] < 1.0 and (held[-1] < enough or len(held) < 2):
        held.append(min(1.0, held[-1] + 2.0 * step * np.sqrt(held[-1] / n)))
    return np.array(held)
