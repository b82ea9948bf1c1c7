"""The area between a router's curve and the random one: defined for every pair of arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.metrics import evaluate_scores
from hybridroute.training.report_page.routers import Router, Rows
from hybridroute.training.report_page.series import LEVEL

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One router's figures.

    Parameters
    ----------
    apgr : float or None
        None where PGR is undefined.
    area : float
        Mean of the curve minus that of a random router's, in units of q.
    oracle_share : float or None
        ``area`` over the oracle's: 0 is random, 1 the best there is; None where the oracle has none
        either.
    drops : tuple of float
        Quality drop at cost advantages .1, .2 and .4, in units of q.
    lead : tuple of three floats, or None
        This report's router minus this one: difference of areas, then its paired limits.
    """

    name: str
    kind: str
    apgr: float | None
    cpt50: float | None
    cpt80: float | None
    area: float
    oracle_share: float | None
    drops: tuple[float, ...]
    lead: tuple[float, float, float] | None


def standings(routers: Sequence[Router], rows: Rows) -> tuple[Standing, ...]:
    """Every router's figures; the first is the one that the others are compared with."""
    whole = np.ones((1, len(rows.gap)))
    oracle = float(weighted_area(-rows.gap, rows.gap, whole)[0])
    drawn = weighted_area(routers[0].scores, rows.gap, rows.weights)
    found: list[Standing] = []
    for place, router in enumerate(routers):
        held = evaluate_scores(router.scores, rows.edge_q, rows.cloud_q)
        lead = None
        if place:
            others = weighted_area(router.scores, rows.gap, rows.weights)
            ahead = found[0].area - held.area_over_random
            lead = (ahead, *limits(drawn - others))
        found.append(
            Standing(
                name=router.name,
                kind=router.kind,
                apgr=held.apgr,
                cpt50=held.cpt50,
                cpt80=held.cpt80,
                area=held.area_over_random,
                oracle_share=share_of_oracle(held.area_over_random, oracle),
                drops=tuple(drop.absolute for drop in held.drops),
                lead=lead,
            )
        )
    return tuple(found)


def share_of_oracle(area: float, oracle: float) -> float | None:
    """``area / oracle``, None where the oracle is no better than random."""
    return area / oracle if oracle > 1e-12 else None


def limits(drawn: Floats) -> tuple[float, float]:
    """The bootstrap's limits of draws of shape (r,)."""
    low, high = np.quantile(drawn, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return float(low), float(high)


def weighted_area(scores: Floats, gap: Floats, weights: Floats) -> Floats:
    """Area over random of each weighting, shape (r,), in units of q.

    With unit weights it is ``metrics.area_over_random``; the sum over a block of ties is as in
    ``bootstrap.weighted_apgr``.
    """
    order = np.argsort(scores, kind="stable")
    ranked = scores[order]
    starts = np.flatnonzero(np.append(True, ranked[1:] != ranked[:-1]))
    drawn = weights[:, order]
    size = np.add.reduceat(drawn, starts, axis=1)
    gain = np.add.reduceat(drawn * gap[order], starts, axis=1)
    before = np.cumsum(gain, axis=1) - gain
    summed = (size * before + gain * (size + 1.0) / 2.0).sum(axis=1)
    rows = size.sum(axis=1)
    mean_of_curve = summed / (rows + 1.0) / rows
    area: Floats = mean_of_curve - gain.sum(axis=1) / rows / 2.0
    return area
