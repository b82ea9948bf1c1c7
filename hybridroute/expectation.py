"""What a setting is expected to do on average, before any call."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from hybridroute.edge_runtime.manifest import Calibration
from hybridroute.edge_runtime.promises import Promises
from hybridroute.promise import ChosenPromise, StandingPromise
from hybridroute.relative_drop import relative_drop
from hybridroute.setting import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a setting is expected to do on average, before any call.

    Every number but the threshold is null unless the configured arms are the ones that the bundle
    was calibrated for; ``reason`` then says why.

    Parameters
    ----------
    setting : Setting
    threshold : float or None
        Of two arms: edge if score >= threshold.
    calibrated : bool
        Whether the configured arms are the ones the bundle was calibrated for.
    cloud_share, cost_advantage : float or None
        Of two arms: shares of queries answered in the cloud and on the edge; they add up to 1. Of
        a pool, ``cost_advantage`` is the share saved of what the dearest arm would cost.
    cost_usd : float or None
        Of a pool: mean US dollars of a query.
    quality : float or None
        Mean quality of the routed answers, in units of q.
    quality_drop : float or None
        Mean quality of all-cloud (of a pool: all to the dearest arm) minus ``quality``; negative
        where routing is the better.
    quality_drop_relative : float or None
        ``quality_drop`` over the absolute mean quality of all-cloud; None where that mean is
        under 5 of its standard errors.
    drop_bound, drop_bound_confidence, drop_bound_n : float, float and int, or None
        The upper confidence limit of ``quality_drop``, its confidence, and the outcomes it was
        measured on; where the bundle holds one, for a dial or a promise on the absolute drop.
    n : int or None
        Queries the calibration measured.
    source : str or None
        Where those queries came from.
    reason : str or None
        Why numbers are missing.
    promise : StandingPromise or None
        What stands behind the setting, if it asked for a promise.
    """

    setting: Setting
    threshold: float | None = None
    calibrated: bool
    cloud_share: float | None = None
    cost_advantage: float | None = None
    cost_usd: float | None = None
    quality: float | None = None
    quality_drop: float | None = None
    quality_drop_relative: float | None = None
    drop_bound: float | None = None
    drop_bound_confidence: float | None = None
    drop_bound_n: int | None = None
    n: int | None = None
    source: str | None = None
    reason: str | None = None
    promise: StandingPromise | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object; the setting is flattened to its kind and value."""
        body = {item.name: getattr(self, item.name) for item in fields(self)}
        body["promise"] = None if self.promise is None else self.promise.to_dict()
        body["setting"] = {"kind": self.setting.kind, "value": self.setting.value}
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One entry of the dial's table."""

    cloud_share: float
    quality: float


def measured(
    setting: Setting, threshold: float, calibration: Calibration, point: Point | None
) -> Expectation:
    """The numbers of a threshold; without a point only that none was measured near it."""
    if point is None:
        return Expectation(
            setting=setting,
            threshold=threshold,
            calibrated=True,
            n=calibration.n,
            source=calibration.source,
            reason=f"the calibration measured no setting near the threshold {threshold:.4g}",
        )
    drop = calibration.cloud_quality - point.quality
    share = relative_drop(drop, calibration.cloud_quality, calibration.cloud_quality_se)
    return Expectation(
        setting=setting,
        threshold=threshold,
        calibrated=True,
        cloud_share=point.cloud_share,
        cost_advantage=1.0 - point.cloud_share,
        quality=point.quality,
        quality_drop=drop,
        quality_drop_relative=share,
        n=calibration.n,
        source=calibration.source,
        reason="all-cloud quality is too near 0 for a relative drop" if share is None else None,
    )


def bounded(expected: Expectation, promises: Promises | None, at: int) -> Expectation:
    """The expectation of the dial's entry ``at``, with its drop's bound where there is one."""
    held = None if promises is None else promises.dial
    if promises is None or held is None or held.bounds[at] is None:
        return expected
    return replace(
        expected,
        drop_bound=held.bounds[at],
        drop_bound_confidence=held.confidence,
        drop_bound_n=promises.n,
    )


def promised(setting: Setting, held: ChosenPromise) -> Expectation:
    """A promise's numbers are those of the outcomes it was fitted on."""
    standing = held.standing
    absolute, relative = standing.kind == "absolute", standing.kind == "relative"
    return Expectation(
        setting=setting,
        threshold=held.threshold,
        calibrated=True,
        cloud_share=1.0 - standing.cost_advantage,
        cost_advantage=standing.cost_advantage,
        quality_drop=standing.drop if absolute else None,
        quality_drop_relative=standing.drop if relative else None,
        drop_bound=standing.drop_bound if absolute else None,
        drop_bound_confidence=standing.confidence if absolute else None,
        drop_bound_n=standing.n if absolute else None,
        n=standing.n,
        source=standing.source,
        reason=f"the promise measured its own drop, of the kind {standing.kind}, and no other",
        promise=standing,
    )
