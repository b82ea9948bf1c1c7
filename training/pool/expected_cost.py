"""What a call of each arm will cost, before it is made: learnt from a table's stated costs.

RouterBench (arXiv 2403.12031) takes a price per token, the same for every query; what is weighed
against quality here is the expected cost of this query, a line in the length of its routed text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpectedCost:
    """``base_usd + usd_per_character * characters``, both of shape (m,) and not negative."""

    base_usd: Floats
    usd_per_character: Floats

    @classmethod
    def fit(cls, characters: NDArray[np.int64], cost_usd: Floats) -> Self:
        """Least squares for each arm, neither part below 0.

        Parameters
        ----------
        characters : ndarray of int64, shape (n,)
            Length of each routed text.
        cost_usd : ndarray, shape (n, m)
            NaN where none is stated.

        Raises
        ------
        DataError
            If an arm states no cost.
        """
        lengths = characters.astype(np.float64)
        lines = [_line(lengths, cost_usd[:, arm]) for arm in range(cost_usd.shape[1])]
        base, slope = np.array(lines, dtype=np.float64).T
        return cls(base_usd=base, usd_per_character=slope)

    def of(self, characters: NDArray[np.int64]) -> Floats:
        """Expected US dollars of n queries, shape (n, m)."""
        found: Floats = self.base_usd + np.outer(characters, self.usd_per_character)
        return found


def _line(lengths: Floats, cost: Floats) -> tuple[float, float]:
    stated = ~np.isnan(cost)
    if not stated.any():
        raise DataError("an arm states no cost in any row; leave it out, or give its price")
    length, held = lengths[stated], cost[stated]
    off = length - length.mean()
    spread = float(off @ off)
    slope = max(float(off @ held) / spread, 0.0) if spread > 0.0 else 0.0
    base = float(held.mean() - slope * length.mean())
    if base < 0.0:  # then the best line with no negative part goes through 0
        return 0.0, float(length @ held / (length @ length))
    return base, slope
