"""Learn-then-test: which thresholds keep the drop under a limit, with confidence.

Thresholds are tested from all-cloud downwards, each at the full level delta, until the first that
is not certified (fixed-sequence testing; arXiv 2110.01052, section 3 and appendix). A wrong claim
needs the first threshold in that order whose drop is truly above the limit to be certified, and
that is one test at level delta: no correction for the number of thresholds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.promise import betting
from hybridroute.training.promise.lattice_sums import Counts, Floats
from hybridroute.training.promise.outcomes import LATTICE, Limit, Rows
from hybridroute.training.promise.three_valued import critical_values, lower_share

_REFERENCE = 0.05
"""Share of delta spent on the mean quality of all-cloud, for a relative limit."""
_BLOCKS = 5000
_TESTS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How far a search came.

    Parameters
    ----------
    place : int
        The lowest certified threshold's place in ``LATTICE``; one past its end for all-cloud.
    test : str
        ``three-valued``, or what the rows call theirs.
    """

    place: int
    test: str


def search(rows: Rows, limit: Limit, *, coarser: float = 1.0) -> Found:
    """The lowest threshold certified for ``limit``.

    Parameters
    ----------
    coarser : float
        As of :func:`critical_values`.

    Raises
    ------
    DataError
        If a relative limit has no meaning on the quality's range.
    """
    if is_exact(rows, limit):
        return Found(place=_exact(rows, limit, coarser), test="three-valued")
    return Found(place=_betting(rows, limit), test=rows.test)


def is_exact(rows: Rows, limit: Limit) -> bool:
    """Whether the exact test applies: two-valued qualities, and no limit on a share of the gap."""
    return rows.two_valued and limit.kind != "gap"


def passes(rows: Rows, limit: Limit, place: int) -> bool:
    """Whether the test of one threshold alone certifies ``limit``."""
    if not is_exact(rows, limit):
        on_edge = rows.place >= place
        return bool(_bets(rows, limit, _block_means(rows, np.where(on_edge, rows.loss, 0.0)))[0])
    differing, total = edge_sums(rows)
    level, delta = exact_level(rows, limit)
    if not 0.0 < level < 1.0:
        return level >= 1.0
    held = critical_values(rows.n, level, delta, most=int(differing[place]), coarser=4.0)
    return bool(held.rejects(differing[place], total[place]))


def edge_sums(rows: Rows) -> tuple[Counts, Counts]:
    """Of the rows on the edge at each threshold of the lattice: how many differ, their net loss.

    Only for two-valued qualities. Both have the lattice's shape.
    """
    loss = np.rint(rows.loss).astype(np.int64)
    return _from_above(rows.place, np.abs(loss)), _from_above(rows.place, loss)


def first_refusal(certified: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The lowest place certified without a gap from above, over the last axis of the lattice."""
    downwards = certified[..., ::-1]
    never = downwards.all(axis=-1)
    steps = np.where(never, downwards.shape[-1], np.argmin(downwards, axis=-1))
    held: NDArray[np.int64] = downwards.shape[-1] - steps
    return held


def relative_level(max_drop: float, cloud_right: int, n: int, delta: float) -> tuple[float, float]:
    """An absolute limit under a relative one for 0/1 qualities, and the delta left to test it.

    The limit max_drop * E[q_cloud] is itself unknown. Its exact lower confidence limit is below it
    but for a chance ``_REFERENCE`` * delta. A limit of 2 % is moved by 2 % of that distance only,
    so this is sharper than testing the mean of q_routed - (1 - max_drop) q_cloud directly.
    """
    spent = delta * _REFERENCE
    return max_drop * lower_share(cloud_right, n, spent), delta - spent


def exact_level(rows: Rows, limit: Limit) -> tuple[float, float]:
    """The limit on the mean loss, in proportion to ``max_drop``, and the level it is tested at."""
    held = rows.quality_range
    if limit.kind == "absolute":
        return limit.max_drop / held.width, limit.delta
    sign = rows.sign
    end = held.low if sign > 0.0 else held.high
    far = rows.cloud_q != end  # abs(q) is abs(end), or that and the width
    level, delta = relative_level(limit.max_drop, int(far.sum()), rows.n, limit.delta)
    return level + limit.max_drop * abs(end) / held.width, delta


def _exact(rows: Rows, limit: Limit, coarser: float) -> int:
    level, delta = exact_level(rows, limit)
    if not 0.0 < level < 1.0:
        return 0 if level >= 1.0 else len(LATTICE)
    differing, total = edge_sums(rows)
    held = critical_values(rows.n, level, delta, most=int(differing[0]), coarser=coarser)
    return int(first_refusal(held.rejects(differing, total)))


def _betting(rows: Rows, limit: Limit) -> int:
    # Above the highest score nothing is on the edge: one test stands for all those thresholds.
    blocks = block_of(rows)
    width = int(blocks[-1]) + 1
    edge: Floats = np.zeros(width)
    if not _bets(rows, limit, edge[None, :])[0]:
        return len(LATTICE)
    places, at = np.unique(rows.place, return_inverse=True)
    cell = (len(places) - 1 - at) * width + blocks
    summed = np.bincount(cell, weights=rows.loss, minlength=len(places) * width)
    added = summed.reshape(len(places), width) / np.bincount(blocks)
    for start in range(0, len(places), _TESTS):
        means = np.cumsum(added[start : start + _TESTS], axis=0) + edge
        edge = means[-1]
        held = _bets(rows, limit, means)
        if not held.all():
            return int(places[len(places) - 1 - start - int(np.argmin(held))]) + 1
    return 0


def _bets(rows: Rows, limit: Limit, losses: Floats) -> NDArray[np.bool_]:
    """The betting test of each threshold, from its losses by block, shape (m, blocks).

    A relative limit is that the mean of (1 - max_drop) q_cloud - q_routed is at most 0; one on
    the gap's share that the mean of (q_cloud - q_routed) - max_drop (q_cloud - q_edge) is.
    """
    if limit.kind == "absolute":
        level = limit.max_drop / rows.quality_range.width / rows.most
        return betting.rejects(losses / rows.most, level, limit.delta)
    if limit.kind == "relative":
        allowed = rows.sign * rows.cloud_q / rows.quality_range.width
    else:
        allowed = rows.loss
    less = limit.max_drop * _block_means(rows, allowed)
    return betting.rejects((losses - less) / rows.most, 0.0, limit.delta)


def block_of(rows: Rows) -> Counts:
    """The block of each row: of many rows some neighbours are bet on together, by their mean.

    Means of blocks are independent, bounded and have the rows' mean, so the test holds for them as
    it does for rows, and with thousands of blocks as sharply.
    """
    # Where losses may be larger than a range, blocks that long would hide that they seldom are.
    blocks = min(rows.n, int(_BLOCKS * max(1.0, rows.most / 2.0)))
    held: Counts = np.arange(rows.n) * blocks // rows.n
    return held


def _block_means(rows: Rows, values: Floats) -> Floats:
    blocks = block_of(rows)
    held: Floats = np.bincount(blocks, weights=values)[None, :] / np.bincount(blocks)
    return held


def _from_above(place: Counts, values: Counts) -> Counts:
    summed = np.bincount(place, weights=values, minlength=len(LATTICE))
    held: Counts = np.rint(np.cumsum(summed[::-1])[::-1]).astype(np.int64)
    return held
