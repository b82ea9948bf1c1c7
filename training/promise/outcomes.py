"""What a promise is fitted on: scores and both arms' qualities, within a stated range."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.promises import PromiseKind
from hybridroute.training.curve import columns
from hybridroute.training.magnitude import LARGEST
from hybridroute.training.promise.lattice_sums import Floats

LATTICE = np.arange(GRID + 1, dtype=np.float64) / GRID
"""The thresholds that are tested, stated before any outcome is seen."""
LATTICE.setflags(write=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRange:
    """Every quality lies in [low, high], by what it is and not by what was seen of it."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if not -LARGEST <= self.low < self.high <= LARGEST:
            raise ConfigError(
                f"the quality range is {self.low} to {self.high}; give low < high, at most "
                f"{LARGEST:g} in size"
            )

    @property
    def width(self) -> float:
        """high - low."""
        return self.high - self.low


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most this drop, with this confidence.

    Parameters
    ----------
    kind : {"absolute", "relative", "gap"}
        ``absolute`` limits mean q of all-cloud - mean q of routed; ``relative`` that over the
        absolute mean q of all-cloud; ``gap`` that over q_cloud - q_edge, which is 1 - PGR.
    max_drop : float
        In (0, 1); an absolute one in units of q.
    confidence : float
        1 - delta, in (0, 1).

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    max_drop: float
    confidence: float = 0.9
    kind: PromiseKind = "absolute"

    def __post_init__(self) -> None:
        if self.kind not in get_args(PromiseKind):
            raise ConfigError(f"kind is {self.kind!r}; use one of {list(get_args(PromiseKind))}")
        for name in ("max_drop", "confidence"):
            value = getattr(self, name)
            if not 0.0 < value < 1.0:
                raise ConfigError(f"{name} is {value}; give a number between 0 and 1, not the ends")

    @property
    def delta(self) -> float:
        """The chance left for the promise to be wrong."""
        return 1.0 - self.confidence


class UnsupportedError(DataError):
    """The outcomes cannot carry the promise asked for, and nothing is wrong with them else.

    Parameters
    ----------
    message : str
    n : int
        Outcomes there are.
    """

    def __init__(self, message: str, *, n: int) -> None:
        super().__init__(message)
        self.n = n


class Rows(Protocol):
    """What a promise is fitted on: see :class:`PairedOutcomes` and ``rated.WeightedOutcomes``."""

    @property
    def n(self) -> int:
        """Number of rows."""
        ...

    @property
    def scores(self) -> Floats:
        """In [0, 1], shape (n,)."""
        ...

    @property
    def place(self) -> NDArray[np.int64]:
        """The last threshold of the lattice that keeps each row on the edge, shape (n,)."""
        ...

    @property
    def loss(self) -> Floats:
        """What a row loses on the edge, over the range's width, or what has that mean."""
        ...

    @property
    def cloud_q(self) -> Floats:
        """The cloud's quality, or what has that mean."""
        ...

    @property
    def outside(self) -> NDArray[np.bool_]:
        """Which rows are out of scope, shape (n,): the cloud's at every threshold, without loss."""
        ...

    @property
    def quality_range(self) -> QualityRange:
        """Where qualities lie."""
        ...

    @property
    def most(self) -> float:
        """No loss can be above it."""
        ...

    @property
    def test(self) -> str:
        """What the bundle calls the test that takes any values."""
        ...

    @property
    def relative(self) -> bool:
        """Whether a relative limit has a meaning."""
        ...

    @property
    def two_valued(self) -> bool:
        """Whether losses are -1, 0 or 1."""
        ...

    @property
    def sign(self) -> float:
        """Of every quality."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PairedOutcomes:
    """Scores and mean qualities of rows that the router was not fitted on.

    Parameters
    ----------
    scores : ndarray, shape (n,)
        In [0, 1]; high means the edge will do.
    edge_q, cloud_q : ndarray, shape (n,)
        Mean q of each row, both on the same row: what the arms share cancels out.
    quality_range : QualityRange
    outside : ndarray of bool, shape (n,), optional
        Rows that the router cannot read: never on the edge, whatever the threshold, so their
        ``edge_q`` is the cloud's. By default there are none.

    Raises
    ------
    DataError
        If shapes differ, a value is not finite, a score is outside [0, 1], or a quality lies
        outside the range.
    """

    scores: Floats
    edge_q: Floats
    cloud_q: Floats
    quality_range: QualityRange
    outside: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))

    def __post_init__(self) -> None:
        given = self.outside if len(self.outside) else np.zeros(len(self.scores), dtype=np.bool_)
        held = columns(scores=self.scores, edge_q=self.edge_q, cloud_q=self.cloud_q, outside=given)
        object.__setattr__(self, "outside", held.pop("outside") != 0.0)
        for name, values in held.items():
            object.__setattr__(self, name, values)
        bad = self.scores[(self.scores < 0.0) | (self.scores > 1.0)]
        if len(bad):
            raise DataError(f"a score is {bad[0]}; scores are from 0 to 1")
        for name in ("edge_q", "cloud_q"):
            _check_range(name, held[name], self.quality_range)

    most: ClassVar[float] = 1.0
    """No loss can be above it."""
    test: ClassVar[str] = "betting"
    """What the bundle calls the test that takes any values."""
    relative: ClassVar[bool] = True
    """Whether a relative limit has a meaning."""

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.scores)

    @property
    def loss(self) -> Floats:
        """q(cloud) - q(edge) over the range's width: what a row loses on the edge, in [-1, 1]."""
        return (self.cloud_q - self.edge_q) / self.quality_range.width

    @property
    def place(self) -> NDArray[np.int64]:
        """The last threshold of the lattice that keeps each row on the edge, shape (n,)."""
        return places_of(self.scores)

    @property
    def two_valued(self) -> bool:
        """Whether every quality is the range's low or high end, so that losses are -1, 0 or 1."""
        ends = (self.quality_range.low, self.quality_range.high)
        return bool(np.isin(self.edge_q, ends).all() and np.isin(self.cloud_q, ends).all())

    @property
    def sign(self) -> float:
        """Of every quality, so that abs(mean q) is sign * mean q.

        Raises
        ------
        DataError
            If the range holds both signs: a share of the mean has no meaning there.
        """
        held = self.quality_range
        if held.low < 0.0 < held.high:
            raise DataError(
                f"qualities from {held.low:g} to {held.high:g} may average to 0, so a relative "
                "drop has no meaning; give an absolute one (leave --drop-kind out)"
            )
        return -1.0 if held.high <= 0.0 else 1.0


def places_of(scores: Floats) -> NDArray[np.int64]:
    """The last threshold of the lattice at or below each score, shape (n,)."""
    held: NDArray[np.int64] = np.searchsorted(LATTICE, scores, side="right") - 1
    return held


def _check_range(name: str, values: Floats, held: QualityRange) -> None:
    outside = values[(values < held.low) | (values > held.high)]
    if len(outside):
        raise DataError(
            f"{name} holds {outside[0]:g}, outside the range {held.low:g} to {held.high:g}. A "
            "promise needs a bounded quality: state its range with --quality-range LOW,HIGH (the "
            "least and largest value it can ever take, not those seen), or score with a bounded one"
        )
