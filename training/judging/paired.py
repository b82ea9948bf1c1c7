"""Intervals of means and of their paired differences, over rows that all routers share.

The same resamples serve every router, so that what makes rows hard for all cancels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.bootstrap import resample_weights

Floats = NDArray[np.float64]
Average = Literal["rows", "domains"]
_CELLS = 20_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resamples:
    """How much each row weighs, as it is and in each resample.

    Parameters
    ----------
    base : ndarray, shape (n,)
        Sums to 1. Averaged over domains, each domain weighs the same.
    drawn : ndarray, shape (resamples, n)
        Rows sum to 1.
    resampled : {"rows", "rows within each domain", "domains, then rows"}
    """

    base: Floats
    drawn: Floats
    resampled: str

    def mean(self, values: Floats) -> float:
        """Weighted mean of values of shape (n,)."""
        return float(self.base @ values)

    def means(self, values: Floats) -> Floats:
        """Of each resample: shape (resamples,), or (resamples, k) for values of shape (n, k)."""
        found: Floats = self.drawn @ values
        return found

    def interval(self, values: Floats, level: float = 0.95) -> tuple[float, float]:
        """Percentile limits of the mean; of a paired difference, if values are differences."""
        return limits(self.means(values), level)

    def standard_error(self, values: Floats) -> float:
        """Of the mean that :meth:`mean` gives: its spread over the resamples; inf for one row."""
        if len(values) < 2:
            return math.inf
        return float(self.means(values).std(ddof=1))


def limits(drawn: Floats, level: float = 0.95) -> tuple[float, float]:
    """Percentile limits of a figure's resamples."""
    low, high = np.quantile(drawn, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return float(low), float(high)


def resamples_of(
    domains: Sequence[str | None],
    *,
    average: Average,
    held_out_domains: bool,
    resamples: int,
    seed: int,
) -> Resamples:
    """The resamples of n rows.

    Parameters
    ----------
    domains : sequence of str or None, length n
    average : {"rows", "domains"}
        Whether each row weighs the same, or each domain. Then rows are drawn within each domain,
        so that it weighs the same in every resample and what domains differ by is no spread.
    held_out_domains : bool
        Whether the figures are to hold for other domains: then domains are drawn, and rows within
        them, whatever is averaged.

    Raises
    ------
    DataError
        If domains are averaged or resampled and a row has none.
    """
    n = len(domains)
    if (average == "domains" or held_out_domains) and None in domains:
        raise DataError("a row has no domain; state one for each, or average over rows")
    base = row_weights(domains, average)
    # 10,000 rows leave room for 1,000 resamples; many more rows need fewer of them.
    count = max(2, min(resamples, _CELLS // n))
    if held_out_domains:
        resampled = "domains, then rows"
        drawn = resample_weights(n, domains, resamples=count, seed=seed)
    elif average == "domains":
        resampled = "rows within each domain"
        drawn = _within(_strata(domains), resamples=count, seed=seed)
    else:
        resampled = "rows"
        drawn = resample_weights(n, None, resamples=count, seed=seed)
    drawn *= base
    drawn /= drawn.sum(axis=1, keepdims=True)
    return Resamples(base=base, drawn=drawn, resampled=resampled)


def _strata(domains: Sequence[str | None]) -> list[NDArray[np.intp]]:
    """The rows of each domain. Those of one row are drawn from together: alone it would always be
    drawn, as if it were known exactly (collapsed strata, Cochran 1977, section 5A.12)."""
    _, place, size = np.unique(_names(domains), return_inverse=True, return_counts=True)
    alone = np.flatnonzero(size[place] == 1)
    several = [np.flatnonzero(place == at) for at in np.flatnonzero(size > 1)]
    return [*several, alone] if len(alone) else several


def _within(strata: Sequence[NDArray[np.intp]], *, resamples: int, seed: int) -> Floats:
    """How often each row is drawn, shape (resamples, n): as many of a stratum as it has."""
    draw = np.random.default_rng(seed)
    drawn = np.empty((resamples, sum(len(rows) for rows in strata)))
    for rows in strata:
        size = len(rows)
        drawn[:, rows] = draw.multinomial(size, np.full(size, 1.0 / size), size=resamples)
    return drawn


def row_weights(domains: Sequence[str | None], average: Average) -> Floats:
    """What each of n rows weighs, summing to 1: the same, or such that each domain does."""
    n = len(domains)
    if average == "rows":
        return np.full(n, 1.0 / n)
    _, place, size = np.unique(_names(domains), return_inverse=True, return_counts=True)
    weights: Floats = 1.0 / (len(size) * size[place])
    return weights


def _names(domains: Sequence[str | None]) -> NDArray[np.str_]:
    return np.array(domains, dtype=object).astype(str)
