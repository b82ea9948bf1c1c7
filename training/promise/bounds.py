"""Upper confidence limits of the drop at given thresholds: the least limit that a test rejects.

Each is for one threshold, fixed before the outcomes were seen, and holds for that one alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.training.promise import betting
from hybridroute.training.promise.lattice_sums import Counts, Floats
from hybridroute.training.promise.outcomes import LATTICE, Limit, Rows
from hybridroute.training.promise.search import block_of, exact_level, is_exact, passes
from hybridroute.training.promise.three_valued import upper_limits

_HALVINGS = 8
_CELLS = 1 << 18


def bound_at(rows: Rows, limit: Limit, place: int, drop: float) -> float:
    """The bound at a threshold of the lattice that was certified for ``limit``; at most the limit.

    Parameters
    ----------
    drop : float
        The point value there, in the limit's own terms.
    """
    if limit.kind == "absolute" or is_exact(rows, limit):
        found = drop_bounds(rows, LATTICE[[place]], limit)
        return min(float(found[0]), limit.max_drop)
    low, high = max(drop, 0.0), limit.max_drop
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if middle <= 0.0:
            break
        held = passes(rows, replace(limit, max_drop=middle), place)
        low, high = (low, middle) if held else (middle, high)
    return high


def drop_bounds(rows: Rows, thresholds: ArrayLike, limit: Limit) -> Floats:
    """The bounds at any thresholds, at least 0.

    Parameters
    ----------
    rows : Rows
    thresholds : array_like, shape (m,)
        Edge if score >= threshold.
    limit : Limit
        Its kind and confidence; relative limits for two-valued qualities only.

    Returns
    -------
    ndarray, shape (m,)
        In the limit's own terms.
    """
    distinct, at = np.unique(np.asarray(thresholds, dtype=np.float64), return_inverse=True)
    if is_exact(rows, limit):
        level, delta = exact_level(rows, limit)
        differing, total = _sums(rows, distinct)
        found = upper_limits(rows.n, differing, total, delta) * (limit.max_drop / level)
    else:
        top, width = 1.0 / rows.most, rows.quality_range.width
        found = np.empty(len(distinct))
        for part, losses in _block_losses(rows, distinct):
            upper = betting.upper_limits(losses / rows.most, limit.delta, top=top)
            found[part] = upper * rows.most * width
    # Above every score that there can be, nothing is on the edge, and nothing is lost.
    found[distinct > 1.0] = 0.0
    held: Floats = found[at]
    return held


def _sums(rows: Rows, thresholds: Floats) -> tuple[Counts, Counts]:
    """Of the rows on the edge at each threshold: how many differ, and their net loss."""
    order = np.argsort(rows.scores)
    loss = np.rint(rows.loss[order]).astype(np.int64)
    first = np.searchsorted(rows.scores[order], thresholds, side="left")

    def above(values: Counts) -> Counts:
        return np.append(np.cumsum(values[::-1])[::-1], 0)[first]

    return above(np.abs(loss)), above(loss)


def _block_losses(rows: Rows, thresholds: Floats) -> Iterator[tuple[NDArray[np.int64], Floats]]:
    """Some thresholds' places, the highest first, and their losses by block, shape (k, blocks)."""
    blocks = block_of(rows)
    width = int(blocks[-1]) + 1
    sizes = np.bincount(blocks)
    loss = rows.loss
    last = np.searchsorted(thresholds, rows.scores, side="right") - 1
    edge: Floats = np.zeros(width)
    step = max(1, _CELLS // width)
    for end in range(len(thresholds), 0, -step):
        part = np.arange(max(0, end - step), end)[::-1]
        new = (last >= part[-1]) & (last < end)
        cell = (end - 1 - last[new]) * width + blocks[new]
        summed = np.bincount(cell, weights=loss[new], minlength=len(part) * width)
        means = np.cumsum(summed.reshape(len(part), width) / sizes, axis=0) + edge
        edge = means[-1]
        yield part, means
