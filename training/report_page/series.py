"""The report's curves: quality drop and quality-gap difference against cost advantage, with bands.

Resamples are row weights, as in the bootstrap of APGR; ties go in random order and are taken by
their expectation, as on the exact curve.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.training.curve import curve_of
from hybridroute.training.metrics import quality_drop
from hybridroute.training.report_page.routers import Router, Rows

Floats = NDArray[np.float64]

LEVEL = 0.95
ADVANTAGES = tuple(step / 50 for step in range(51))
"""Cost advantages at which the curves are drawn, 0 to 1."""
MOST_CELLS = 20_000_000
_FEWEST, _USUAL = 50, 400
_BLOCK = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A figure at several places, with its pointwise bootstrap limits; each of length p."""

    middle: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One router's curves.

    Parameters
    ----------
    drop : Band
        At ``ADVANTAGES``: mean q of all-cloud minus mean q of routed, in units of q.
    relative_drop : Band or None
        That over abs(mean q of all-cloud); None where that mean is too near zero.
    gap_difference : Band
        At ``ADVANTAGES`` without 0 and 1: mean H over edge-routed minus mean H over cloud-routed
        rows, H = q(edge) - q(cloud), in units of q (Hybrid LLM, arXiv 2404.14618, figure 6).
    """

    name: str
    kind: str
    drop: Band
    relative_drop: Band | None
    gap_difference: Band


def usual_resamples(rows: int) -> int:
    """How many resamples to draw: fewer where rows are many, so that memory stays bounded."""
    return int(np.clip(MOST_CELLS // max(rows, 1), _FEWEST, _USUAL))


def line_of(router: Router, rows: Rows) -> Line:
    """A router's curves on the rows."""
    share = np.array(ADVANTAGES)
    whole = np.ones((1, len(rows.gap)))
    drop, difference = _drawn(router.scores, rows.gap, whole, share)
    drops, differences = _drawn(router.scores, rows.gap, rows.weights, share)
    return Line(
        name=router.name,
        kind=router.kind,
        drop=band_of(drop[0], drops),
        relative_drop=_relative(rows, drop[0], drops),
        gap_difference=band_of(difference[0], differences),
    )


def refused_relative(rows: Rows) -> str | None:
    """Why the drop has no relative form on these rows; None where it has."""
    return quality_drop(curve_of(np.zeros(len(rows.gap)), rows.edge_q, rows.cloud_q), 0.5).refused


def band_of(middle: Floats, drawn: Floats) -> Band:
    """The pointwise band of draws of shape (r, p)."""
    low, high = np.quantile(drawn, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0], axis=0)
    return Band(middle=_listed(middle), low=_listed(low), high=_listed(high))


def _relative(rows: Rows, drop: Floats, drops: Floats) -> Band | None:
    if refused_relative(rows) is not None:
        return None
    level = np.abs(rows.weights @ rows.cloud_q / rows.weights.sum(axis=1))
    # A resample may bring the mean to zero where the rows are a handful.
    level = np.maximum(level, np.finfo(np.float64).tiny)
    return band_of(drop / abs(float(rows.cloud_q.mean())), drops / level[:, None])


def _drawn(scores: Floats, gap: Floats, weights: Floats, share: Floats) -> tuple[Floats, Floats]:
    """Drop (r, p) and gap difference (r, p - 2) of each weighting."""
    lost = kept_sum(scores, gap, weights, share)
    total = weights.sum(axis=1, keepdims=True)
    inner = share[1:-1]
    on_edge = lost[:, 1:-1] / (inner * total)
    in_cloud = (weights @ gap[:, None] - lost[:, 1:-1]) / ((1.0 - inner) * total)
    return lost / total, in_cloud - on_edge


def kept_sum(scores: ArrayLike, values: ArrayLike, weights: Floats, share: Floats) -> Floats:
    """The sum of ``values`` over the share of the rows with the highest scores, shape (r, p).

    Parameters
    ----------
    scores, values : array_like, shape (n,)
    weights : ndarray, shape (r, n)
        How often each row stands in the sample.
    share : ndarray, shape (p,)
        In [0, 1], of each sample's rows. Rows of equal score share what falls to them.
    """
    order = np.argsort(-np.asarray(scores, dtype=np.float64), kind="stable")
    ranked = np.asarray(scores, dtype=np.float64)[order]
    value = np.asarray(values, dtype=np.float64)[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    found = np.empty((len(weights), len(share)), dtype=np.float64)
    for first in range(0, len(weights), _BLOCK):
        drawn = weights[first : first + _BLOCK][:, order]
        mass = _running(np.add.reduceat(drawn, starts, axis=1))
        held = _running(np.add.reduceat(drawn * value, starts, axis=1))
        for place in range(len(drawn)):
            at = share * mass[place, -1]
            found[first + place] = np.interp(at, mass[place], held[place])
    return found


def _running(blocks: Floats) -> Floats:
    """Running sums along rows, from 0."""
    return np.concatenate([np.zeros((len(blocks), 1)), np.cumsum(blocks, axis=1)], axis=1)


def _listed(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(value) for value in values)
