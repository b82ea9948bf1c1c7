"""How good a router is: PGR, APGR, CPT and quality drop on the exact curve; ECE and Brier.

Definitions as in RouteLLM (arXiv 2406.18665, section 3.2) and Hybrid LLM (arXiv 2404.14618,
section 2), on the curve k = 0..n instead of eleven points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.relative_drop import LEVEL_SE, relative_drop
from hybridroute.training.curve import Curve, columns, curve_of

GAP_SE = 2.0
"""PGR needs a gap above this many of its standard errors."""
DROP_AT = (0.1, 0.2, 0.4)
_ROUND_OFF = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """The quality drop at one cost advantage.

    ``absolute`` is mean q of all-cloud minus mean q of routed, in units of q. ``relative`` is that
    over abs(mean q of all-cloud); None, with ``refused`` saying why, where that mean is under
    5 SE from zero.
    """

    cost_advantage: float
    absolute: float
    relative: float | None
    refused: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A router's numbers on ``n`` rows.

    Parameters
    ----------
    gap, gap_se : float
        Mean of q(cloud) - q(edge) and its paired standard error.
    apgr : float or None
        Mean PGR over k = 0..n; None, with ``pgr_undefined`` saying why, unless gap > 2 SE.
    cpt50, cpt80 : float or None
        Least share of cloud calls, in percent, with PGR >= .5, .8.
    uplift : float
        The curve's maximum minus the better of all-edge and all-cloud, in units of q. Taken on the
        rows it is judged on, so it is an upper figure.
    uplift_cloud_share : float
        Where that maximum stands, in [0, 1].
    area_over_random : float
        Mean of the curve minus the mean of its two ends, in units of q; 0 for a random router.
    drops : tuple of Drop
        At cost advantages .1, .2 and .4.
    ece, brier : float or None
        Of the score as a probability; None where no labels were given.
    """

    n: int
    edge_quality: float
    cloud_quality: float
    gap: float
    gap_se: float
    apgr: float | None
    cpt50: float | None
    cpt80: float | None
    pgr_undefined: str | None
    uplift: float
    uplift_cloud_share: float
    area_over_random: float
    drops: tuple[Drop, ...]
    ece: float | None
    brier: float | None

    def to_dict(self) -> dict[str, Any]:
        """A JSON object; every number finite or null."""
        held: dict[str, Any] = plain(self)
        held["gap_se"] = held["gap_se"] if np.isfinite(held["gap_se"]) else None
        return held


def evaluate_scores(
    scores: ArrayLike, edge_q: ArrayLike, cloud_q: ArrayLike, labels: ArrayLike | None = None
) -> Evaluation:
    """Judge scores of shape (n,) against mean qualities of shape (n,).

    Give ``labels`` (shape (n,), in [0, 1]) only for scores of kind ``label``: they add ECE and
    Brier.

    Raises
    ------
    DataError
        If shapes differ or a value is not finite.
    """
    curve = curve_of(scores, edge_q, cloud_q)
    quality = curve.gain
    best = int(np.argmax(quality))
    return Evaluation(
        n=curve.n,
        edge_quality=curve.edge_quality,
        cloud_quality=curve.cloud_quality,
        gap=curve.gap,
        gap_se=curve.gap_se,
        apgr=apgr(curve),
        cpt50=cpt(curve, 0.5),
        cpt80=cpt(curve, 0.8),
        pgr_undefined=pgr_undefined(curve),
        uplift=float(quality[best] - max(0.0, curve.gap)),
        uplift_cloud_share=best / curve.n,
        area_over_random=area_over_random(curve),
        drops=tuple(quality_drop(curve, advantage) for advantage in DROP_AT),
        ece=None if labels is None else ece(scores, labels),
        brier=None if labels is None else brier(scores, labels),
    )


def pgr_undefined(curve: Curve) -> str | None:
    """Why PGR has no meaning on these rows; None where it has."""
    if curve.gap > GAP_SE * curve.gap_se:
        return None
    if curve.n < 2:
        return "one row has no standard error"
    return (
        f"the cloud arm is not clearly better: q_cloud - q_edge is {curve.gap:.4g}, "
        f"not above 2 SE ({GAP_SE * curve.gap_se:.4g})"
    )


def pgr(curve: Curve) -> NDArray[np.float64] | None:
    """(q_routed - q_edge) / (q_cloud - q_edge), shape (n + 1,); None where undefined."""
    return None if pgr_undefined(curve) else curve.gain / curve.gain[-1]


def apgr(curve: Curve) -> float | None:
    """Mean PGR over k = 0..n; .5 in expectation for a random router."""
    recovered = pgr(curve)
    return None if recovered is None else float(recovered.mean())


def cpt(curve: Curve, level: float) -> float | None:
    """Least share of cloud calls, in percent, with PGR >= ``level``; None if never reached."""
    recovered = pgr(curve)
    if recovered is None:
        return None
    reached = np.flatnonzero(recovered >= level - _ROUND_OFF)
    return float(100.0 * reached[0] / curve.n) if len(reached) else None


def area_over_random(curve: Curve) -> float:
    """Mean of the curve minus the mean of its ends, in units of q; defined for every pair.

    Where PGR is defined it is (APGR - .5) (q_cloud - q_edge).
    """
    return float(curve.gain.mean() - curve.gain[-1] / 2.0)


def cost_advantage(scores: ArrayLike, threshold: float) -> float:
    """Share of the scores that stay on the edge: score >= threshold."""
    held = columns(scores=scores)["scores"]
    return float(np.mean(held >= threshold))


def quality_drop(curve: Curve, advantage: float) -> Drop:
    """The drop when the share ``advantage`` of the rows, highest scores first, stays on the edge.

    Raises
    ------
    ConfigError
        If ``advantage`` is outside [0, 1].
    """
    if not 0.0 <= advantage <= 1.0:
        raise ConfigError(f"cost_advantage is {advantage}; it must be from 0 to 1")
    absolute = curve.cloud_quality - curve.quality_at(1.0 - advantage)
    mean, se = curve.cloud_quality, curve.cloud_quality_se
    relative = relative_drop(absolute, mean, se)
    refused: str | None = None
    if relative is None:
        least = LEVEL_SE * se
        refused = f"abs(mean q of all-cloud) is {abs(mean):.4g}, under 5 SE ({least:.4g})"
    return Drop(cost_advantage=advantage, absolute=absolute, relative=relative, refused=refused)


def brier(scores: ArrayLike, labels: ArrayLike) -> float:
    """Mean squared difference of score and label, both of shape (n,)."""
    score, label = _probabilities(scores, labels)
    return float(np.mean((score - label) ** 2))


def ece(scores: ArrayLike, labels: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error over ``bins`` equal-width bins (Guo et al., arXiv 1706.04599).

    Labels may be soft: a bin compares the mean score with the mean label.
    """
    score, label = _probabilities(scores, labels)
    place = np.minimum((score * bins).astype(np.int64), bins - 1)
    off = np.bincount(place, weights=score - label, minlength=bins)
    return float(np.abs(off).sum() / len(score))


def _probabilities(
    scores: ArrayLike, labels: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    held = columns(scores=scores, labels=labels)
    for name, values in held.items():
        if values.min() < 0.0 or values.max() > 1.0:
            worst = values.min() if values.min() < 0.0 else values.max()
            raise DataError(f"{name} holds {worst}; probabilities are from 0 to 1")
    return held["scores"], held["labels"]
