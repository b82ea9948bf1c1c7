"""Score calibration: which map makes a ``label`` score a probability, chosen on held-out rows.

Temperature scaling has one number and cannot hurt much; isotonic regression follows any shape and
needs more rows. Both are fitted on scores of the exported graph. Which of them, or none, is decided
by cross-validation on the same rows: a map must beat what is simpler by more than one standard
error of the paired difference in squared error.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.probability_map import ProbabilityMap, Reliability
from hybridroute.training.curve import columns
from hybridroute.training.metrics import brier, ece

Floats = NDArray[np.float64]
Fit = Callable[[Floats, Floats], ProbabilityMap]

FEWEST = 50
"""Rows below which nothing is fitted."""
_FOLDS = 5
_WIDEST = 20.0
_STEPS = 60
_INSIDE = 1e-7
_BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The map, or None where none is better than the score itself, and each one's squared error.

    ``errors`` maps ``none``, ``temperature`` and ``isotonic`` to their cross-validated Brier score.
    ``measured`` is the choice's reliability on other rows, where there were any; without a map
    nothing changes from before to after.
    """

    map: ProbabilityMap | None
    errors: dict[str, float]
    measured: Reliability | None = None


def choose_map(scores: ArrayLike, labels: ArrayLike, source: str) -> Chosen:
    """Fit, compare and choose.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Of the exported graph, in [0, 1], in an order that has nothing to do with the labels.
    labels : array_like, shape (n,)
        In [0, 1]; may be soft.
    source : str

    Raises
    ------
    DataError
        If there are fewer than ``FEWEST`` rows.
    """
    held = columns(scores=scores, labels=labels)
    score, label = held["scores"], held["labels"]
    if len(score) < FEWEST:
        raise DataError(
            f"{len(score)} rows are too few to map scores on; give at least {FEWEST}, better some "
            "hundreds"
        )
    fits: dict[str, Fit] = {"temperature": _temperature, "isotonic": _isotonic}
    off = {"none": (score - label) ** 2}
    off |= {name: _out_of_fold(fit, score, label) for name, fit in fits.items()}
    best = "none"
    for name in fits:
        gain = off[best] - off[name]
        if gain.mean() > gain.std(ddof=1) / math.sqrt(len(gain)):
            best = name
    found = None if best == "none" else replace(fits[best](score, label), source=source)
    return Chosen(map=found, errors={name: float(held.mean()) for name, held in off.items()})


def reliability_of(
    found: ProbabilityMap | None, scores: ArrayLike, labels: ArrayLike
) -> Reliability:
    """Before and after, on rows that the map was not fitted on."""
    mapped = np.asarray(scores) if found is None else mapped_scores(found, scores)
    return Reliability(
        n=len(mapped),
        ece_before=ece(scores, labels, _BINS),
        ece_after=ece(mapped, labels, _BINS),
        brier_before=brier(scores, labels),
        brier_after=brier(mapped, labels),
    )


def mapped_scores(found: ProbabilityMap, scores: ArrayLike) -> Floats:
    """The map of every score, shape (n,)."""
    return np.array([found(score) for score in np.asarray(scores, dtype=np.float64).tolist()])


def _out_of_fold(fit: Fit, score: Floats, label: Floats) -> Floats:
    """Squared errors of shape (n,), each by a map that was fitted without that row's fold."""
    fold = np.arange(len(score)) % _FOLDS
    off = np.empty(len(score))
    for at in range(_FOLDS):
        found = fit(score[fold != at], label[fold != at])
        off[fold == at] = (mapped_scores(found, score[fold == at]) - label[fold == at]) ** 2
    return off


def _temperature(score: Floats, label: Floats) -> ProbabilityMap:
    """The temperature of least log loss, which is convex in its inverse."""
    inside = np.clip(score, _INSIDE, 1.0 - _INSIDE)
    logit = np.log(inside) - np.log1p(-inside)

    def slope(inverse: float) -> float:
        return float(np.mean((0.5 * (1.0 + np.tanh(0.5 * inverse * logit)) - label) * logit))

    low, high = 1.0 / _WIDEST, _WIDEST
    for _ in range(_STEPS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if slope(middle) > 0.0 else (middle, high)
    inverse = math.sqrt(low * high)
    return ProbabilityMap(kind="temperature", temperature=1.0 / inverse, source="", n=len(score))


def _isotonic(score: Floats, label: Floats) -> ProbabilityMap:
    """Centred isotonic regression (Oron and Flournoy 2017): lines between the blocks' centres.

    Plain isotonic regression has flat steps, which would make ties of scores that differ.
    """
    order = np.argsort(score, kind="stable")
    centres, levels = _pooled(score[order], label[order])
    inner = levels[(levels > 0.0) & (levels < 1.0)]
    end = 0.5 * min([1.0 / len(score), *inner.tolist(), *(1.0 - inner).tolist()])
    values = np.clip(levels, end, 1.0 - end)
    inside = (centres > _INSIDE) & (centres < 1.0 - _INSIDE)
    if not inside.any():
        centres, values, inside = np.array([0.5]), np.array([label.mean()]), np.array([True])
        values = np.clip(values, end, 1.0 - end)
    return ProbabilityMap(
        kind="isotonic",
        scores=tuple(centres[inside].tolist()),
        values=tuple(values[inside].tolist()),
        source="",
        n=len(score),
    )


def _pooled(score: Floats, label: Floats) -> tuple[Floats, Floats]:
    """Pool adjacent violators: the mean score and label of each block, labels increasing."""
    blocks: list[tuple[float, float, float]] = []  # weight, sum of scores, sum of labels
    for x, y in zip(score.tolist(), label.tolist(), strict=True):
        block = (1.0, x, y)
        while blocks and _touch(blocks[-1], block):
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    held = np.array(blocks)
    return held[:, 1] / held[:, 0], held[:, 2] / held[:, 0]


def _touch(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether two neighbours are one block: levels do not increase, or scores are equal."""
    level = other[2] * one[0] <= one[2] * other[0]
    return level or other[1] * one[0] - one[1] * other[0] <= 1e-9 * one[0] * other[0]
