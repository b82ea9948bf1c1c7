"""Model-level scaling up (RouterEval, arXiv 2503.10657): what more candidates could give.

The mean over all subsets of m arms of r_o(p)'s mean quality. It needs no sampling: with a row's
values sorted, the k-th smallest of M is the largest of a random subset of m with probability
C(k - 1, m - 1) / C(M, m).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.pool.metrics import random_quality

Floats = NDArray[np.float64]
_MOST_POINTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingUp:
    """Means over all subsets of each size.

    Parameters
    ----------
    sizes : tuple of int
        Numbers of arms m, from 1 to all.
    oracle : tuple of float
        Mean quality of the oracle among m arms.
    random : float
        Of a uniform choice; the same at every size.
    best_single : tuple of float
        Mean quality of the better of m arms, known in hindsight.
    rows : int
        Rows with every arm: the ones taken.
    """

    sizes: tuple[int, ...]
    oracle: tuple[float, ...]
    random: float
    best_single: tuple[float, ...]
    rows: int

    def partial(self, p: float) -> tuple[float, ...]:
        """r_o(p) at each size."""
        return tuple(p * best + (1.0 - p) * self.random for best in self.oracle)


def scaling_up(quality: Floats, weights: Floats | None = None) -> ScalingUp:
    """The curve of a quality matrix of shape (n, M); ``weights`` of shape (n,) weigh the rows.

    Raises
    ------
    DataError
        If no row has every arm.
    """
    whole = ~np.isnan(quality).any(axis=1)
    if not whole.any():
        raise DataError("no row has an outcome of every arm; pick fewer arms")
    held = quality[whole]
    weight = np.full(len(held), 1.0) if weights is None else weights[whole]
    weight = weight / weight.sum()
    arms = held.shape[1]
    sizes = _sizes(arms)
    ranked = weight @ np.sort(held, axis=1)
    singles = np.sort(weight @ held)
    largest = np.array([_chance_of_largest(arms, size) for size in sizes])
    return ScalingUp(
        sizes=sizes,
        oracle=tuple(float(value) for value in largest @ ranked),
        random=float(weight @ random_quality(held)),
        best_single=tuple(float(value) for value in largest @ singles),
        rows=int(whole.sum()),
    )


def _sizes(arms: int) -> tuple[int, ...]:
    if arms <= _MOST_POINTS:
        return tuple(range(1, arms + 1))
    spaced = np.geomspace(1, arms, _MOST_POINTS).round().astype(int)
    return tuple(int(size) for size in np.unique(spaced))


def _chance_of_largest(arms: int, size: int) -> Floats:
    """Of each rank 1..arms to be the largest of a subset, shape (arms,)."""
    whole = _log_choose(arms, size)
    return np.array(
        [
            np.exp(_log_choose(rank - 1, size - 1) - whole) if rank >= size else 0.0
            for rank in range(1, arms + 1)
        ]
    )


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
