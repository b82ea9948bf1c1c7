"""evidence -> score: the slope and offset of the logistic that stands in the ONNX graph."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from hybridroute.edge_runtime.protocols import ScoreKind
from hybridroute.training.curve import columns

logger = logging.getLogger(__name__)

_STEPS = 100
_SLOPE_WITHOUT_SIGNAL = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreMap:
    """score = sigmoid(slope * evidence + offset), slope > 0 so that the order is kept."""

    slope: float
    offset: float


def fit_score_map(kind: ScoreKind, evidence: ArrayLike, labels: ArrayLike) -> ScoreMap:
    """Fit slope and offset on calibration rows by logistic regression (Platt scaling).

    A ``label`` head's evidence is a logit already and is left as it is. For ``gap`` the map only
    spreads p_edge - p_cloud over [0, 1]; no probability is claimed.

    Parameters
    ----------
    evidence : array_like, shape (n,)
    labels : array_like, shape (n,), in [0, 1]
    """
    if kind == "label":
        return ScoreMap(slope=1.0, offset=0.0)
    held = columns(evidence=evidence, labels=labels)
    # From equal labels only the offset could be learnt, which would push every score to one end.
    level = np.ptp(held["labels"]) == 0.0
    found = None if level else _logistic(held["evidence"], held["labels"])
    if found is None:
        logger.warning(
            "on the calibration rows the evidence does not order the labels; the score's slope "
            "falls back to %s",
            _SLOPE_WITHOUT_SIGNAL,
        )
        return ScoreMap(slope=_SLOPE_WITHOUT_SIGNAL, offset=0.0)
    return found


def _logistic(x: np.ndarray, y: np.ndarray) -> ScoreMap | None:
    design = np.stack([x, np.ones_like(x)], axis=1)  # (n, 2)
    beta = np.zeros(2)
    # A slight ridge keeps separable rows from sending the slope to infinity.
    ridge = np.diag([1e-3, 1e-6])
    for _ in range(_STEPS):
        chance = 0.5 * (1.0 + np.tanh(0.5 * (design @ beta)))
        gradient = design.T @ (chance - y) + ridge @ beta
        bend = (design * np.maximum(chance * (1 - chance), 1e-9)[:, None]).T @ design + ridge
        step = np.linalg.solve(bend, gradient)
        beta -= step
        if np.abs(step).max() < 1e-9:
            break
    slope, offset = float(beta[0]), float(beta[1])
    return ScoreMap(slope=slope, offset=offset) if np.isfinite(slope) and slope > 0 else None
