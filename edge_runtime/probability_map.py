"""A router's score -> a calibrated probability: a strictly increasing curve in the manifest.

It is applied to what the exported graph gives, so it is fitted on the int8 scores that a device
sees, and another runtime applies the same few numbers. Being strictly increasing it changes no
order: every threshold moves along the same curve, and the same queries stay on the edge.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, fields
from itertools import pairwise

from hybridroute.edge_runtime.errors import BundleError

KINDS = ("temperature", "isotonic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How far probabilities were from labels, on ``n`` rows that the map was not fitted on.

    The expected calibration error over 15 bins, and the mean squared difference (Brier).
    """

    n: int
    ece_before: float
    ece_after: float
    brier_before: float
    brier_after: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(getattr(self, item.name)) for item in fields(self)):
            raise BundleError("probability_map.measured holds what is not finite; make it again")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbabilityMap:
    """Score to probability, both in [0, 1].

    Parameters
    ----------
    kind : {"temperature", "isotonic"}
        ``temperature``: sigmoid(logit(score) / temperature) (Guo et al., arXiv 1706.04599).
        ``isotonic``: straight lines between ``scores`` and ``values``, from (0, 0) to (1, 1).
    temperature : float or None
        Above 0.
    scores, values : tuple of float
        The knots between 0 and 1, both strictly increasing.
    source : str
        Where the rows it was fitted on come from.
    n : int
        How many they were.
    measured : Reliability or None

    Raises
    ------
    BundleError
        If it is not strictly increasing, so that it would change the order of queries.
    """

    kind: str
    temperature: float | None = None
    scores: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    source: str
    n: int
    measured: Reliability | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BundleError(f"probability_map is of kind {self.kind!r}; use one of {KINDS}")
        if self.kind == "temperature":
            if self.temperature is None or not 0.0 < self.temperature < math.inf:
                raise BundleError(f"probability_map.temperature is {self.temperature}; above 0")
            return
        if not self.scores or len(self.scores) != len(self.values):
            raise BundleError("probability_map needs as many scores as values, at least 1")
        for name in ("scores", "values"):
            ends = (0.0, *getattr(self, name), 1.0)
            if not all(before < after for before, after in pairwise(ends)):
                raise BundleError(f"probability_map.{name} must increase strictly within 0 to 1")

    def __call__(self, score: float) -> float:
        """The probability of a score; what is not inside (0, 1), as all-cloud's 1.01, stays."""
        if not 0.0 < score < 1.0:
            return score
        if self.temperature is not None:
            return _sigmoid(_logit(score) / self.temperature)
        return _along((0.0, *self.scores, 1.0), (0.0, *self.values, 1.0), score)

    def inverse(self, probability: float) -> float:
        """The score of a probability."""
        if not 0.0 < probability < 1.0:
            return probability
        if self.temperature is not None:
            return _sigmoid(_logit(probability) * self.temperature)
        return _along((0.0, *self.values, 1.0), (0.0, *self.scores, 1.0), probability)


def _along(xs: tuple[float, ...], ys: tuple[float, ...], x: float) -> float:
    at = bisect_right(xs, x) - 1
    share = (x - xs[at]) / (xs[at + 1] - xs[at])
    return ys[at] + share * (ys[at + 1] - ys[at])


def _logit(share: float) -> float:
    return math.log(share) - math.log1p(-share)


def _sigmoid(value: float) -> float:
    if value >= 0.0:
        return 1.0 / (1.0 + math.exp(-value))
    return math.exp(value) / (1.0 + math.exp(value))
