"""Each arm's mean quality within groups of queries: what length and cluster estimators look up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.pool.estimator import Estimates
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.masked import arm_means, arm_spreads

Floats = NDArray[np.float64]

PRIOR = 10.0
"""A group's mean is drawn to the arm's own as if the group had so many more rows of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupMeans:
    """Means and their standard errors, each of shape (groups, m)."""

    mean: Floats
    error: Floats

    @classmethod
    def of(
        cls, groups: NDArray[np.intp], count: int, quality: Floats, present: NDArray[np.bool_]
    ) -> Self:
        """Of rows in groups 0..count - 1, with qualities (n, m), 0 where a cell is missing."""
        belongs = (groups[None, :] == np.arange(count)[:, None]).astype(np.float64)  # (groups, n)
        rows = belongs @ present + PRIOR
        mean = (belongs @ quality + PRIOR * arm_means(quality, present)) / rows
        return cls(mean=mean, error=np.sqrt(arm_spreads(quality, present) / rows))

    def looked_up(self, groups: NDArray[np.intp]) -> Estimates:
        """Of queries in these groups."""
        return Estimates(mean=self.mean[groups], uncertainty=self.error[groups])

    def nodes(self, graph: HeadGraph, groups: str) -> tuple[str, str]:
        """The same for groups of shape (batch,), int64."""
        mean, error = (
            graph.op("Gather", graph.floats(table), groups, attributes={"axis": 0})
            for table in (self.mean, self.error)
        )
        return mean, error
