"""The seam of pool estimators: fitted on embeddings and outcomes, they estimate every arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.edge_runtime import protocols
from hybridroute.edge_runtime.errors import DataError

Floats = NDArray[np.float64]
EstimateKind = protocols.EstimateKind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Queries:
    """What an estimator may see of n queries.

    Parameters
    ----------
    embeddings : ndarray of float32, shape (n, d)
        Frozen states of unit length, as the device's own graph gives them.
    characters : ndarray of int64, shape (n,)
        Length of each routed text: what its cost is estimated from.
    tokens : ndarray of int64, shape (n,)
        Length of the router's input, special tokens included, after it was cut: the only length
        that the device's graph sees.
    texts : tuple of str
        The routed texts; () where only embeddings are known. Fine-tuned estimators need them.
    """

    embeddings: NDArray[np.float32]
    characters: NDArray[np.int64]
    tokens: NDArray[np.int64]
    texts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.embeddings), len(self.characters), len(self.tokens)}
        if self.texts:
            lengths.add(len(self.texts))
        if self.embeddings.ndim != 2 or len(lengths) != 1:
            raise DataError(
                f"embeddings have shape {self.embeddings.shape}, for {len(self.characters)} "
                f"lengths in characters and {len(self.tokens)} in tokens; give one of each a query"
            )

    def __len__(self) -> int:
        return len(self.embeddings)

    def select(self, which: NDArray[Any]) -> Self:
        """The queries at ``which``: a boolean mask of shape (n,), or indices."""
        at = np.flatnonzero(which) if which.dtype == np.bool_ else which
        return type(self)(
            embeddings=self.embeddings[at],
            characters=self.characters[at],
            tokens=self.tokens[at],
            texts=tuple(self.texts[row] for row in at) if self.texts else (),
        )


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
        """What a mean is; see :data:`EstimateKind`."""
        ...

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries."""
        ...


@runtime_checkable
class FittedHead(FittedEstimator, Protocol):
    """One on frozen states: the encoder's graph is shared, and this is joined to it."""

    def head(self) -> onnx.GraphProto:
        """The same computation: ``embedding`` (batch, d), and ``tokens`` (batch, 1) if it needs
        the length, to ``estimates`` (batch, m), and to ``uncertainties`` (batch, m) where there
        are some; all float32."""
        ...


@runtime_checkable
class FittedWhole(FittedEstimator, Protocol):
    """One with an encoder of its own."""

    @property
    def graph(self) -> bytes:
        """All of the device's graph, from token ids to ``estimates``."""
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


class HeadEstimator(Estimator, Protocol):
    """Fits one kind of estimator on frozen states."""

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedHead:
        """As :meth:`Estimator.fit`."""
        ...
