"""Paired bootstrap of APGR: how sure is a router's figure, and the difference of two routers?

Resamples are row weights: a row drawn twice is two rows of one score, a tie, which the exact curve
takes by its expectation. Both routers see the same resamples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.curve import columns

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A figure with its bootstrap interval.

    Parameters
    ----------
    estimate : float
        On the rows as they are.
    se : float
        Standard deviation over the resamples.
    low, high : float
        Percentile limits.
    level : float
        Share of resamples between them.
    resamples, undefined : int
        Resamples drawn, and those left out because the cloud arm was not better in them.
    resampled : {"rows", "domains, then rows"}
        What was drawn.
    """

    estimate: float
    se: float
    low: float
    high: float
    level: float
    resamples: int
    undefined: int
    resampled: str


def apgr_interval(
    scores: ArrayLike,
    edge_q: ArrayLike,
    cloud_q: ArrayLike,
    *,
    domains: Sequence[str | None] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """APGR of one router with its interval; parameters as in ``apgr_difference``."""
    held = columns(scores=scores, edge_q=edge_q, cloud_q=cloud_q)
    gap = held["cloud_q"] - held["edge_q"]
    weights = resample_weights(len(gap), domains, resamples=resamples, seed=seed)
    estimate = weighted_apgr(held["scores"], gap, np.ones((1, len(gap))))[0]
    drawn = weighted_apgr(held["scores"], gap, weights)
    return _interval(float(estimate), drawn, level, domains)


def apgr_difference(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    edge_q: ArrayLike,
    cloud_q: ArrayLike,
    *,
    domains: Sequence[str | None] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """APGR of router a minus APGR of router b on the same rows, with its interval.

    Parameters
    ----------
    scores_a, scores_b, edge_q, cloud_q : array_like, shape (n,)
        Scores (high means the edge will do) and mean qualities.
    domains : sequence of str, length n, or None
        Given: domains are resampled, then the rows within each draw. None: rows only.

    Raises
    ------
    DataError
        If shapes differ, a value is not finite, or all-cloud is not better than all-edge.
    ConfigError
        If resamples < 2 or level is outside (0, 1).
    """
    held = columns(scores_a=scores_a, scores_b=scores_b, edge_q=edge_q, cloud_q=cloud_q)
    gap = held["cloud_q"] - held["edge_q"]
    weights = resample_weights(len(gap), domains, resamples=resamples, seed=seed)
    whole = np.ones((1, len(gap)))
    a, b = held["scores_a"], held["scores_b"]
    estimate = weighted_apgr(a, gap, whole)[0] - weighted_apgr(b, gap, whole)[0]
    drawn = weighted_apgr(a, gap, weights) - weighted_apgr(b, gap, weights)
    return _interval(float(estimate), drawn, level, domains)


def area_difference(
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    edge_q: ArrayLike,
    cloud_q: ArrayLike,
    *,
    domains: Sequence[str | None] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Area over random of router a minus that of router b, in units of q; defined for every pair.

    Parameters as in :func:`apgr_difference`.
    """
    held = columns(scores_a=scores_a, scores_b=scores_b, edge_q=edge_q, cloud_q=cloud_q)
    gap = held["cloud_q"] - held["edge_q"]
    weights = resample_weights(len(gap), domains, resamples=resamples, seed=seed)
    whole = np.ones((1, len(gap)))
    a, b = held["scores_a"], held["scores_b"]

    def difference(drawn: Floats) -> Floats:
        # A random router's half of the gap is the same for both.
        areas = _summed_gain(a, gap, drawn) - _summed_gain(b, gap, drawn)
        size = drawn.sum(axis=1)
        found: Floats = areas / ((size + 1.0) * size)
        return found

    return _interval(float(difference(whole)[0]), difference(weights), level, domains)


def resample_weights(
    n: int, domains: Sequence[str | None] | None, *, resamples: int, seed: int
) -> Floats:
    """How often each of n rows is drawn in each resample, shape (resamples, n)."""
    if resamples < 2:
        raise ConfigError(f"resamples is {resamples}; give at least 2")
    draw = np.random.default_rng(seed)
    if domains is None:
        return draw.multinomial(n, np.full(n, 1.0 / n), size=resamples).astype(np.float64)
    if len(domains) != n:
        raise DataError(f"there are {len(domains)} domains for {n} rows; give one a row")
    members: dict[str | None, list[int]] = {}
    for row, domain in enumerate(domains):
        members.setdefault(domain, []).append(row)
    share = np.full(len(members), 1.0 / len(members))
    drawn = draw.multinomial(len(members), share, size=resamples)
    weights = np.zeros((resamples, n), dtype=np.float64)
    for place, rows in enumerate(members.values()):
        size = len(rows)
        weights[:, rows] = draw.multinomial(drawn[:, place] * size, np.full(size, 1.0 / size))
    return weights


def weighted_apgr(scores: Floats, gap: Floats, weights: Floats) -> Floats:
    """APGR of each weighting, shape (r,); NaN where the weighted gap is not above 0.

    With blocks b of equal score, of weight m_b and summed gap g_b, after G_b of it, the curve's
    points within a block are linear, so their sum is m_b G_b + g_b (m_b + 1) / 2.

    Parameters
    ----------
    scores, gap : ndarray, shape (n,)
        Scores, and q(cloud) - q(edge).
    weights : ndarray, shape (r, n)
        Whole numbers: how often each row stands in the sample.
    """
    area = _summed_gain(scores, gap, weights)
    total = weights @ gap
    points = weights.sum(axis=1) + 1.0
    defined = total > 0.0
    return np.where(defined, area / (points * np.where(defined, total, 1.0)), np.nan)


def _summed_gain(scores: Floats, gap: Floats, weights: Floats) -> Floats:
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    size = np.add.reduceat(weights[:, order], starts, axis=1)
    gain = np.add.reduceat(weights[:, order] * gap[order], starts, axis=1)
    before = np.cumsum(gain, axis=1) - gain
    area: Floats = (size * before + gain * (size + 1.0) / 2.0).sum(axis=1)
    return area


def _interval(
    estimate: float, drawn: Floats, level: float, domains: Sequence[str | None] | None
) -> Interval:
    if not 0.0 < level < 1.0:
        raise ConfigError(f"level is {level}; it must be between 0 and 1")
    kept = drawn[np.isfinite(drawn)]
    if not np.isfinite(estimate) or len(kept) < 2:
        raise DataError("APGR is undefined: the cloud arm is not better on average on these rows")
    low, high = np.quantile(kept, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(
        estimate=estimate,
        se=float(kept.std(ddof=1)),
        low=float(low),
        high=float(high),
        level=level,
        resamples=len(drawn),
        undefined=len(drawn) - len(kept),
        resampled="rows" if domains is None else "domains, then rows",
    )
