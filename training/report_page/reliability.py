"""Whether a score of 0.7 means 70 %: mean label against mean score, bin by bin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hybridroute.training.labels import labels_at
from hybridroute.training.metrics import brier, ece
from hybridroute.training.report_page.routers import Router, Rows

BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Rows whose scores fall into [low, high)."""

    low: float
    high: float
    n: int
    mean_score: float
    mean_label: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """One router's diagram; ``bins`` leaves out the empty ones.

    ``t`` is that of the label Pr[H >= -t], in units of q.
    """

    name: str
    t: float
    ece: float
    brier: float
    brier_of_mean: float
    bins: tuple[Bin, ...]


def reliabilities(routers: Sequence[Router], rows: Rows) -> tuple[Reliability, ...]:
    """Of every router whose score estimates a label, on the rows that it can read."""
    found = []
    for router in routers:
        inside = np.ones(len(router.scores), dtype=np.bool_)
        if router.outside is not None:
            inside = ~router.outside
        scores = router.scores[inside]
        if router.probability_at is None or not len(scores):
            continue
        labels = labels_at(rows.table, rows.edge, rows.cloud, router.probability_at)[inside]
        found.append(
            Reliability(
                name=router.name,
                t=router.probability_at,
                ece=ece(scores, labels, BINS),
                brier=brier(scores, labels),
                brier_of_mean=brier(np.full(len(labels), labels.mean()), labels),
                bins=bins_of(scores, labels, BINS),
            )
        )
    return tuple(found)


def bins_of(scores: ArrayLike, labels: ArrayLike, bins: int) -> tuple[Bin, ...]:
    """Equal-width bins of [0, 1], as ``metrics.ece`` takes them; the empty ones are left out."""
    score = np.asarray(scores, dtype=np.float64)
    label = np.asarray(labels, dtype=np.float64)
    place = np.minimum((score * bins).astype(np.int64), bins - 1)
    return tuple(
        Bin(
            low=at / bins,
            high=(at + 1) / bins,
            n=int((place == at).sum()),
            mean_score=float(score[place == at].mean()),
            mean_label=float(label[place == at].mean()),
        )
        for at in np.unique(place).tolist()
    )
