"""The labels before and after the transformation t* (Hybrid LLM, arXiv 2404.14618, figure 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.labels import Labels, labels_of
from hybridroute.training.report_page.routers import Rows

BINS = 20
_MOST_POINTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """How labels lie on [0, 1]: ``counts`` in ``BINS`` equal bins, 1 in the last.

    ``gini`` is the Gini mean difference of the labels, in [0, .5].
    """

    counts: tuple[int, ...]
    share_zero: float
    share_one: float
    gini: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelShift:
    """``prob`` labels beside ``trans`` labels of the same rows.

    Parameters
    ----------
    t_star : float
        Of these rows, in units of q; 0 where no t > 0 spreads the labels more.
    same : bool
        Whether trans fell back to prob; ``note`` then says why.
    responses : tuple of int
        Fewest and most response pairs of a row.
    curve : tuple of (float, float)
        Gini mean difference at the t's tried, at most ``_MOST_POINTS`` of them.
    bundle_t : float or None
        The t of the labels that the bundle was fitted to, where it states one.
    """

    before: LabelCounts
    after: LabelCounts
    t_star: float
    same: bool
    note: str | None
    pairs: tuple[int, int]
    curve: tuple[tuple[float, float], ...]
    bundle_t: float | None


def label_shift(rows: Rows, bundle_t: float | None) -> LabelShift:
    """The two distributions and the search for t*."""
    prob = labels_of(rows.table, rows.edge, rows.cloud, "prob")
    trans = labels_of(rows.table, rows.edge, rows.cloud, "trans")
    pairs = [
        len(row.arms[rows.edge].quality) * len(row.arms[rows.cloud].quality)
        for row in rows.table.rows
    ]
    return LabelShift(
        before=_counted(prob, prob.gini_after),
        after=_counted(trans, trans.gini_after),
        t_star=trans.t_star or 0.0,
        same=trans.kind == "prob",
        note=trans.note,
        pairs=(min(pairs), max(pairs)),
        curve=_thinned(trans.curve),
        bundle_t=bundle_t,
    )


def _counted(labels: Labels, gini: float) -> LabelCounts:
    return LabelCounts(
        counts=tuple(counts_of(labels.values).tolist()),
        share_zero=labels.share_zero,
        share_one=labels.share_one,
        gini=gini,
    )


def counts_of(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Counts in ``BINS`` bins of [0, 1], shape (BINS,)."""
    # Float32 holds 0.15 just below 3/20: a label of three in twenty belongs in its own bin.
    place = np.floor(values.astype(np.float64) * BINS + 1e-6).astype(np.int64)
    counted: NDArray[np.int64] = np.bincount(np.minimum(place, BINS - 1), minlength=BINS)
    return counted


def _thinned(curve: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """Evenly by place, the ends and the top among them."""
    if len(curve) <= _MOST_POINTS:
        return curve
    picks = set(np.linspace(0, len(curve) - 1, _MOST_POINTS - 1).round().astype(int).tolist())
    picks.add(int(np.argmax([spread for _, spread in curve])))
    return tuple(curve[place] for place in sorted(picks))
