"""The seam of pool estimators: fitted on embeddings and outcomes, they estimate every arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

Floats = NDArray[np.float64]
EstimateKind = Literal["quality", "margin", "ordinal"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queries:
    """What an estimator may see of n queries.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, d)
        Frozen states of unit length, as the device's own graph gives them.
    characters : ndarray of int64, shape (n,)
        Length of each routed text.
    """

    embeddings: NDArray[np.float32]
    characters: NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Estimates:
    """Of n queries and m arms.

    ``mean`` has shape (n, m), higher is better; ``uncertainty``, of the same shape, is a standard
    error, None where the estimator knows none.
    """

    mean: Floats
    uncertainty: Floats | None = None


class FittedEstimator(Protocol):
    """Estimates every arm of queries."""

    @property
    def kind(self) -> EstimateKind:
        """What a mean is; see :data:`ESTIMATE_KINDS` of the manifest."""
        ...

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries."""
        ...

    def head(self) -> onnx.GraphProto:
        """The same computation: ``embedding`` (batch, d) to ``estimates`` (batch, m), and to
        ``uncertainties`` (batch, m) where there are some; float32."""
        ...


class Estimator(Protocol):
    """Fits one kind of estimator."""

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        ...

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedEstimator:
        """Fit on qualities of shape (n, m), NaN where a cell is missing: it stays missing.

        Raises
        ------
        DataError, ConfigError, TrainingError
            If the data cannot support it.
        """
        ...
