"""The exact routing curve: mean quality after k = 0..n cloud calls, lowest score first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.errors import DataError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curve:
    """Mean quality of the routed answers against the number of cloud calls.

    Rows go to the cloud by ascending score. Rows of equal score go in random order, and the curve
    is the expectation over those orders: linear within a block of ties.

    Parameters
    ----------
    gain : ndarray of float64, shape (n + 1,)
        Mean q of the routed answers minus mean q of all-edge, after k cloud calls.
    boundary : ndarray of bool, shape (n + 1,)
        Whether some threshold sends exactly these k rows to the cloud.
    edge_quality, cloud_quality : float
        Means of q, all-edge and all-cloud.
    gap, gap_se : float
        Mean of q(cloud) - q(edge), and its paired standard error (inf for one row).
    cloud_quality_se : float
        Standard error of the mean of q(cloud) (inf for one row).
    """

    gain: Floats
    boundary: NDArray[np.bool_]
    edge_quality: float
    cloud_quality: float
    gap: float
    gap_se: float
    cloud_quality_se: float

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.gain) - 1

    @property
    def cloud_share(self) -> Floats:
        """k / n, shape (n + 1,)."""
        return np.arange(self.n + 1, dtype=np.float64) / self.n

    @property
    def quality(self) -> Floats:
        """Mean q of the routed answers, shape (n + 1,)."""
        return self.edge_quality + self.gain

    def quality_at(self, cloud_share: float) -> float:
        """Expected mean q when this share of the rows, lowest scores first, goes to the cloud."""
        k = cloud_share * self.n
        return self.edge_quality + float(np.interp(k, np.arange(self.n + 1), self.gain))


def curve_of(scores: ArrayLike, edge_q: ArrayLike, cloud_q: ArrayLike) -> Curve:
    """The exact curve.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Any finite numbers; high means the edge will do.
    edge_q, cloud_q : array_like, shape (n,)
        Mean q of each row's responses.

    Raises
    ------
    DataError
        If the shapes differ, there is no row, or a value is not finite.
    """
    held = columns(scores=scores, edge_q=edge_q, cloud_q=cloud_q)
    score, edge, cloud = held["scores"], held["edge_q"], held["cloud_q"]
    n = len(score)
    difference = cloud - edge
    order = np.argsort(score, kind="stable")
    ranked = score[order]
    ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True)) + 1
    knots = np.concatenate([[0], ends])
    running = np.concatenate([[0.0], np.cumsum(difference[order])])
    boundary = np.zeros(n + 1, dtype=np.bool_)
    boundary[knots] = True
    return Curve(
        gain=np.interp(np.arange(n + 1), knots, running[knots]) / n,
        boundary=boundary,
        edge_quality=float(edge.mean()),
        cloud_quality=float(cloud.mean()),
        gap=float(running[-1] / n),
        gap_se=standard_error(difference),
        cloud_quality_se=standard_error(cloud),
    )


def standard_error(values: Floats) -> float:
    """Standard error of the mean (n - 1 in the variance); inf for one value."""
    if len(values) < 2:
        return math.inf
    return float(values.std(ddof=1) / math.sqrt(len(values)))


def columns(**arrays: ArrayLike) -> dict[str, Floats]:
    """Finite float64 columns of one length, by name.

    Raises
    ------
    DataError
        Names the column.
    """
    held = {name: np.asarray(values, dtype=np.float64) for name, values in arrays.items()}
    shapes = {name: values.shape for name, values in held.items()}
    if len(set(shapes.values())) != 1 or len(next(iter(shapes.values()))) != 1:
        raise DataError(f"the shapes are {shapes}; give columns of one length")
    for name, values in held.items():
        if not len(values):
            raise DataError(f"{name} is empty; give at least one row")
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise DataError(f"{name}[{bad[0]}] is {values[bad[0]]}; give finite numbers")
    return held
