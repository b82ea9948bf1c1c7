"""A router's judged rows over all runs: each row once, averaged over the runs that judged it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.judging.cost_curve import Sweep
from hybridroute.training.judging.folds import Fold
from hybridroute.training.judging.one_run import Routed
from hybridroute.training.judging.paired import Average, row_weights
from hybridroute.training.pool.metrics import choice_entropy

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AveragedRows:
    """What a router got, in the order of the judged rows.

    Parameters
    ----------
    quality : ndarray, shape (n,)
    cost : ndarray, shape (n,), or None
    shares : ndarray, shape (m,)
        How often it called each arm.
    swept : Sweep or None
    by_run : tuple of float
        Mean quality of each run, over rows or over domains.
    entropy : float
        Of the choices, in bits: the mean of the runs'.
    """

    quality: Floats
    cost: Floats | None
    shares: Floats
    swept: Sweep | None
    by_run: tuple[float, ...]
    entropy: float


class RowAverager:
    """Joins what a router got in each run; ``average`` says what weighs the same in a run."""

    def __init__(
        self, folds: Sequence[Fold], domains: Sequence[str | None], average: Average
    ) -> None:
        self.folds = tuple(folds)
        self._weights = [
            row_weights([domains[row] for row in fold.test], average) for fold in folds
        ]

    def __call__(self, parts: Sequence[Routed]) -> AveragedRows:
        return averaged_rows(parts, self.folds, self._weights)

    def each_row(self, values: Sequence[Floats]) -> Floats:
        """What each run says of its judged rows, averaged over the runs; shape (n, ...)."""
        rows = judged_rows(self.folds)
        return averaged(
            values, [np.searchsorted(rows, fold.test) for fold in self.folds], len(rows)
        )


def judged_rows(folds: Sequence[Fold]) -> NDArray[np.intp]:
    """Rows that some run judged, in ascending order."""
    return np.unique(np.concatenate([fold.test for fold in folds]))


def averaged_rows(
    parts: Sequence[Routed], folds: Sequence[Fold], weights: Sequence[Floats]
) -> AveragedRows:
    """Join what each fold judged; ``weights`` are what its judged rows weigh in its own mean."""
    rows = judged_rows(folds)
    places = [np.searchsorted(rows, fold.test) for fold in folds]
    sizes = np.array([len(fold.test) for fold in folds], dtype=np.float64)
    costs = [part.cost for part in parts if part.cost is not None]
    swept = [part.swept for part in parts if part.swept is not None]
    return AveragedRows(
        quality=averaged([part.quality for part in parts], places, len(rows)),
        cost=averaged(costs, places, len(rows)) if len(costs) == len(parts) else None,
        shares=np.average([part.shares for part in parts], axis=0, weights=sizes),
        swept=_joined(swept, places, len(rows)) if len(swept) == len(parts) else None,
        by_run=tuple(
            float(weight @ part.quality) for weight, part in zip(weights, parts, strict=True)
        ),
        entropy=float(np.mean([choice_entropy(part.shares) for part in parts])),
    )


def _joined(swept: Sequence[Sweep], places: Sequence[NDArray[np.intp]], n: int) -> Sweep:
    points = min(one.quality.shape[1] for one in swept)
    return Sweep(
        quality=averaged([_ends_kept(one.quality, points) for one in swept], places, n),
        cost=averaged([_ends_kept(one.cost, points) for one in swept], places, n),
    )


def _ends_kept(values: Floats, points: int) -> Floats:
    """As many points for each run; the last is the cheapest arm."""
    return np.concatenate([values[:, : points - 1], values[:, -1:]], axis=1)


def averaged(values: Sequence[Floats], places: Sequence[NDArray[np.intp]], n: int) -> Floats:
    """Mean of each row over the runs that judged it; shape (n, ...)."""
    total = np.zeros((n, *values[0].shape[1:]))
    count = np.zeros(n)
    for held, place in zip(values, places, strict=True):
        np.add.at(total, place, held)
        np.add.at(count, place, 1.0)
    found: Floats = total / count.reshape(-1, *([1] * (total.ndim - 1)))
    return found
