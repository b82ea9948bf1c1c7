"""What the report compares: bundles, baselines and both ends, each as scores of the same rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.out_of_scope import Mask
from hybridroute.training.outcomes import OutcomeTable

Floats = NDArray[np.float64]
RouterKind = Literal["this", "bundle", "baseline", "end"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Router:
    """One way to order the rows.

    Parameters
    ----------
    name : str
    kind : {"this", "bundle", "baseline", "end"}
        The bundle that is judged, another one, a baseline, or an end of the scale (random,
        oracle).
    scores : ndarray of float64, shape (n,)
        High means the edge will do. Of a bundle, below all others where a row is out of scope.
    outside : ndarray of bool, shape (n,), or None
        Rows out of scope: no score of theirs is ever looked at. None where it reads every row.
    labelled_with : str or None
        The quality function its labels were made from, where that is known.
    probability_at : float or None
        The t of the label Pr[H >= -t] that the score estimates; None where it estimates none.
    """

    name: str
    kind: RouterKind
    scores: Floats
    outside: Mask | None = None
    labelled_with: str | None = None
    probability_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """The rows that are judged, and how often each is drawn in each resample.

    Parameters
    ----------
    table : OutcomeTable
        Every row has both arms.
    weights : ndarray of float64, shape (resamples, n)
        The same for every router, so that differences are paired.
    resampled : {"rows", "domains, then rows"}
    """

    table: OutcomeTable
    edge: str
    cloud: str
    weights: Floats
    resampled: str
    edge_q: Floats = field(init=False)
    cloud_q: Floats = field(init=False)

    def __post_init__(self) -> None:
        if self.weights.ndim != 2 or self.weights.shape[1] != len(self.table):
            raise DataError(
                f"weights has shape {self.weights.shape} for {len(self.table)} rows; give one a row"
            )
        object.__setattr__(self, "edge_q", self.table.mean_quality(self.edge))
        object.__setattr__(self, "cloud_q", self.table.mean_quality(self.cloud))

    @property
    def gap(self) -> Floats:
        """q(cloud) - q(edge), shape (n,)."""
        return self.cloud_q - self.edge_q


def random_router(n: int) -> Router:
    """Equal scores: ties are taken by their expectation, so this is the expected random router."""
    return Router(name="random", kind="end", scores=np.zeros(n))


def oracle_router(edge_q: ArrayLike, cloud_q: ArrayLike) -> Router:
    """Ordered by the mean gap itself, which no router can know: nothing lies above it."""
    gap = np.asarray(edge_q, dtype=np.float64) - np.asarray(cloud_q, dtype=np.float64)
    return Router(name="oracle", kind="end", scores=gap)
