"""A setting -> the threshold it stands for, and what it is expected to cost and to lose."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.manifest import (
    ALL_CLOUD_THRESHOLD,
    GRID,
    Calibration,
    Manifest,
    ScoreQuantiles,
)
from hybridroute.setting import Setting

NEAR = 0.02
"""A raw threshold is read off the dial table only if the table's next entry, towards the cloud,
sends at most this much more traffic there."""

_MIN_STANDARD_ERRORS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ActiveSetting:
    """A setting with the threshold it stands for: swapped as one object, so never half-changed."""

    setting: Setting
    threshold: float
    calibrated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a setting is expected to do on average, before any call.

    Every number but the threshold is null unless the configured arms are the ones that the bundle
    was calibrated for; ``reason`` then says why.

    Parameters
    ----------
    setting : Setting
    threshold : float
        Edge if score >= threshold.
    calibrated : bool
        Whether the configured arms are the ones the bundle was calibrated for.
    cloud_share, cost_advantage : float or None
        Shares of queries answered in the cloud and on the edge; they add up to 1.
    quality : float or None
        Mean quality of the routed answers, in units of q.
    quality_drop : float or None
        Mean quality of all-cloud minus ``quality``; negative where routing is the better.
    quality_drop_relative : float or None
        ``quality_drop`` over the absolute mean quality of all-cloud; None where that mean is
        under 5 of its standard errors.
    n : int or None
        Queries the calibration measured.
    source : str or None
        Where those queries came from.
    reason : str or None
        Why numbers are missing.
    """

    setting: Setting
    threshold: float
    calibrated: bool
    cloud_share: float | None = None
    cost_advantage: float | None = None
    quality: float | None = None
    quality_drop: float | None = None
    quality_drop_relative: float | None = None
    n: int | None = None
    source: str | None = None
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object; the setting is flattened to its kind and value."""
        body = {item.name: getattr(self, item.name) for item in fields(self)}
        body["setting"] = {"kind": self.setting.kind, "value": self.setting.value}
        return body


class Policy:
    """Maps settings to thresholds for one bundle and one set of arms, each in O(1).

    With the arms the bundle was calibrated for, dial d is looked up in the calibration's table: the
    least cloud share whose quality reaches q_edge + d * (q_best - q_edge). With other arms nothing
    is known of quality, so the dial is a cloud share: d sends the share d of queries, by the
    bundle's score quantiles, to the cloud.

    Parameters
    ----------
    manifest : Manifest
    models : sequence of str
        The configured arms' model names, in the order edge, cloud.
    """

    def __init__(self, manifest: Manifest, models: Sequence[str]) -> None:
        self._quantiles: ScoreQuantiles | None = manifest.score_quantiles
        self._calibrated_models = tuple(arm.model for arm in manifest.arms)
        self._models = tuple(models)
        same = self._calibrated_models == self._models
        self._calibration = manifest.calibration if same else None

    @property
    def calibrated(self) -> bool:
        """Whether the configured arms are the ones the bundle was calibrated for."""
        return self._calibration is not None

    @property
    def default(self) -> Setting:
        """The setting of a client that was given none: the middle of what there is to turn."""
        flat = self._calibration is not None and self._calibration.flat
        if self._quantiles is None and (flat or self._calibration is None):
            return Setting(threshold=0.5)
        return Setting(cost_advantage=0.5) if flat else Setting(dial=0.5)

    def activate(self, setting: Setting) -> ActiveSetting:
        """The setting with its threshold.

        Raises
        ------
        ConfigError
            If the bundle cannot say what the setting means: a dial on a flat calibration, or a
            cost advantage (or an uncalibrated dial) without score quantiles.
        """
        return ActiveSetting(
            setting=setting, threshold=self._threshold(setting), calibrated=self.calibrated
        )

    def expect(self, setting: Setting) -> Expectation:
        """What the setting is expected to do.

        A dial's numbers are its own entry of the calibration's table. A raw threshold t, and the
        threshold of a cost advantage, take the numbers of the entry with the largest threshold
        <= t, all-edge and all-cloud counting as entries; if the next entry sends more than
        :data:`NEAR` (2 %) more of the traffic to the cloud, the table says too little about t, and
        the numbers are null.

        Raises
        ------
        ConfigError
            As :meth:`activate`.
        """
        threshold = self._threshold(setting)
        calibration = self._calibration
        if calibration is None:
            return Expectation(
                setting=setting, threshold=threshold, calibrated=False, reason=self._why_null()
            )
        if setting.dial is not None:
            at = _grid_up(setting.dial)
            point: _Point | None = _Point(
                cloud_share=calibration.dial.cloud_share[at], quality=calibration.dial.quality[at]
            )
        else:
            point = _point_at(calibration, threshold)
        return _expectation(setting, threshold, calibration, point)

    def _threshold(self, setting: Setting) -> float:
        if setting.threshold is not None:
            return setting.threshold
        if setting.cost_advantage is not None:
            return self._at_edge_share(setting.cost_advantage, "cost_advantage")
        return self._at_dial(setting.value)

    def _at_dial(self, dial: float) -> float:
        calibration = self._calibration
        if calibration is None:
            return self._at_edge_share(1.0 - dial, "dial")
        if calibration.flat:
            why = calibration.flat_reason or "no setting is measurably better than the edge alone"
            raise ConfigError(
                f"the dial has nothing to turn for this pair of arms: the calibration is flat "
                f"({why}). Set cost_advantage or threshold instead"
            )
        return calibration.dial.thresholds[_grid_up(dial)]

    def _at_edge_share(self, share: float, asked: str) -> float:
        if share >= 1.0:
            return 0.0
        if share <= 0.0:
            return ALL_CLOUD_THRESHOLD
        if self._quantiles is None:
            raise ConfigError(
                f"{asked} needs the bundle's score quantiles and it has none. Run `hybridroute "
                "calibrate --prompts FILE` on your own prompts, or set threshold"
            )
        return self._quantiles.values[_grid_down(1.0 - share)]

    def _why_null(self) -> str:
        if not self._calibrated_models:
            return "the bundle was not calibrated for any pair of arms"
        if self._calibrated_models == self._models:
            return "the bundle holds no calibration"
        calibrated = " and ".join(self._calibrated_models)
        configured = " and ".join(self._models) or "none"
        return f"the bundle was calibrated for {calibrated}; the configured arms are {configured}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    cloud_share: float
    quality: float


def _point_at(calibration: Calibration, threshold: float) -> _Point | None:
    """The table's entry for a threshold, or None where its neighbours are far apart."""
    table = calibration.dial
    all_edge = _Point(cloud_share=0.0, quality=calibration.edge_quality)
    all_cloud = _Point(cloud_share=1.0, quality=calibration.cloud_quality)
    if threshold <= 0.0:
        return all_edge
    if threshold > 1.0:
        return all_cloud
    after = bisect_right(table.thresholds, threshold)

    def entry(at: int) -> _Point:
        return _Point(cloud_share=table.cloud_share[at], quality=table.quality[at])

    here = entry(after - 1) if after else all_edge
    beyond = entry(after) if after <= GRID else all_cloud
    return here if beyond.cloud_share - here.cloud_share <= NEAR else None


def _expectation(
    setting: Setting, threshold: float, calibration: Calibration, point: _Point | None
) -> Expectation:
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
    size = abs(calibration.cloud_quality)
    firm = size > 0.0 and size >= _MIN_STANDARD_ERRORS * calibration.cloud_quality_se
    return Expectation(
        setting=setting,
        threshold=threshold,
        calibrated=True,
        cloud_share=point.cloud_share,
        cost_advantage=1.0 - point.cloud_share,
        quality=point.quality,
        quality_drop=drop,
        quality_drop_relative=drop / size if firm else None,
        n=calibration.n,
        source=calibration.source,
        reason=None if firm else "all-cloud quality is too near 0 for a relative drop",
    )


def _grid_up(share: float) -> int:
    # Rounded first: 0.07 * 1000 is 70.00000000000001, which would round up to 71.
    return math.ceil(round(share * GRID, 6))


def _grid_down(share: float) -> int:
    return math.floor(round(share * GRID, 6))
