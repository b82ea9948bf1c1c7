"""Figures of the estimates themselves: their calibration, and the threshold between two arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.bootstrap import apgr_interval
from hybridroute.training.judging.comparison_row import Pair, TwoArms
from hybridroute.training.metrics import brier, ece, evaluate_scores

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Of estimated qualities as probabilities of a right answer."""

    ece: float
    brier: float


def calibration_of(
    estimates: Sequence[NDArray[np.float32]], quality: Sequence[Floats]
) -> Calibration | None:
    """Over every present cell of all runs; None without any, or unless each outcome is in [0, 1].

    An outcome between 0 and 1, such as a pass rate, is the mean of ones that are 0 or 1. Estimates
    are cut to [0, 1] first: a linear model may leave it.
    """
    pairs = [
        (np.clip(guessed[~np.isnan(held)], 0.0, 1.0), held[~np.isnan(held)])
        for guessed, held in zip(estimates, quality, strict=True)
    ]
    guessed = np.concatenate([one for one, _ in pairs])
    labels = np.concatenate([other for _, other in pairs])
    if not len(labels) or labels.min() < 0.0 or labels.max() > 1.0:
        return None
    return Calibration(ece=ece(guessed, labels), brier=brier(guessed, labels))


def two_arms_of(
    scores: Floats,
    quality: Floats,
    names: tuple[str, str],
    *,
    domains: Sequence[str | None] | None,
    seed: int,
) -> TwoArms:
    """Judge ``estimate of the edge - estimate of the cloud`` as a threshold router's score.

    Parameters
    ----------
    scores : ndarray, shape (n,)
    quality : ndarray, shape (n, 2)
        The edge's column first. Rows without both are left out.
    domains : sequence or None
        Given: they are resampled, then rows.
    """
    both = ~np.isnan(quality).any(axis=1)
    edge_q, cloud_q = quality[both].T
    found = evaluate_scores(scores[both], edge_q, cloud_q)
    interval: Pair | None = None
    if found.apgr is not None:
        kept = None
        if domains is not None:
            kept = [domains[row] for row in np.flatnonzero(both).tolist()]
        try:
            held = apgr_interval(scores[both], edge_q, cloud_q, domains=kept, seed=seed)
            interval = held.low, held.high
        except DataError:  # no resample has a better cloud arm
            interval = None
    return TwoArms(
        edge=names[0],
        cloud=names[1],
        apgr=found.apgr,
        apgr_ci95=interval,
        cpt50=found.cpt50,
        cpt80=found.cpt80,
        undefined=found.pgr_undefined,
    )
