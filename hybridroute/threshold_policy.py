"""Two arms: a setting -> its threshold, and what it is expected to cost and to lose."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from hybridroute.charges import Charges
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.grid import GRID, grid_down, grid_up
from hybridroute.edge_runtime.manifest import (
    ALL_CLOUD_THRESHOLD,
    Calibration,
    Manifest,
    ScoreQuantiles,
)
from hybridroute.expectation import Expectation, Point, bounded, measured, promised
from hybridroute.policy import ActiveSetting, Order
from hybridroute.promise import ChosenPromise, Promise, find_promise, no_promises
from hybridroute.setting import Setting

NEAR = 0.02
"""A raw threshold is read off the dial table only if the table's next entry, towards the cloud,
sends at most this much more traffic there."""


class ThresholdPolicy:
    """Maps settings to thresholds for two arms, as fast as :class:`Policy` says.

    With the arms the bundle was calibrated for, dial d is looked up in the calibration's table: the
    least cloud share whose quality reaches q_edge + d * (q_best - q_edge). With other arms nothing
    is known of quality, so the dial is a cloud share: d sends the share d of queries, by the
    bundle's score quantiles, to the cloud.

    Parameters
    ----------
    manifest : Manifest
    models : sequence of str
        The configured arms' model names, in the order edge, cloud.
    out_of_scope_arm : str
        Promises count what the router cannot judge as the cloud's.
    """

    def __init__(
        self, manifest: Manifest, models: Sequence[str], *, out_of_scope_arm: str = "cloud"
    ) -> None:
        self._quantiles: ScoreQuantiles | None = manifest.score_quantiles
        self._calibrated_models = tuple(arm.model for arm in manifest.arms)
        self._models = tuple(models)
        same = self._calibrated_models == self._models
        self._calibration = manifest.calibration if same else None
        self._promises = manifest.promises if same else None
        self._same = same
        self._out_of_scope_arm = out_of_scope_arm

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
            If the bundle cannot say what the setting means: a dial on a flat calibration, a
            cost advantage (or an uncalibrated dial) without score quantiles, or a promise that the
            bundle's outcomes do not support or that was made for other models.
        """
        held = None if setting.promise is None else self._find(setting.promise)
        threshold = self._threshold(setting) if held is None else held.threshold
        return ActiveSetting(
            setting=setting,
            charges=Charges(fixed=(threshold, 0.0)),
            threshold=threshold,
            calibrated=self.calibrated,
            promise=None if held is None else held.standing,
            order=_order(threshold),
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
        if setting.promise is not None:
            return promised(setting, self._find(setting.promise))
        threshold = self._threshold(setting)
        calibration = self._calibration
        if calibration is None:
            return Expectation(
                setting=setting, threshold=threshold, calibrated=False, reason=self._why_null()
            )
        if setting.dial is not None:
            at = grid_up(setting.dial)
            point = Point(
                cloud_share=calibration.dial.cloud_share[at], quality=calibration.dial.quality[at]
            )
            expected = measured(setting, threshold, calibration, point)
            return bounded(expected, self._promises, at)
        return measured(setting, threshold, calibration, _point_at(calibration, threshold))

    def threshold(self, setting: Setting) -> float:
        """The threshold that a setting stands for. Raises ConfigError as :meth:`activate`."""
        if setting.promise is not None:
            return self._find(setting.promise).threshold
        return self._threshold(setting)

    def _threshold(self, setting: Setting) -> float:
        if setting.kind in ("cost_weight", "budget_usd"):
            raise ConfigError(
                f"{setting.kind} weighs estimates of quality against costs, and this bundle's "
                "router gives one score for two arms; set dial, cost_advantage or threshold"
            )
        if setting.threshold is not None:
            return setting.threshold
        if setting.cost_advantage is not None:
            return self._at_edge_share(setting.cost_advantage, "cost_advantage")
        return self._at_dial(setting.value)

    def _find(self, asked: Promise) -> ChosenPromise:
        if not self._same:
            raise ConfigError(f"{asked} cannot be kept: {self._why_null()}")
        if self._out_of_scope_arm != "cloud":
            raise ConfigError(
                f"{asked} counts what the router cannot judge as the cloud's, and out_of_scope_arm "
                f"is {self._out_of_scope_arm!r}; leave it at 'cloud'"
            )
        if self._promises is None:
            raise no_promises(asked)
        return find_promise(self._promises, asked)

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
        return calibration.dial.thresholds[grid_up(dial)]

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
        return self._quantiles.values[grid_down(1.0 - share)]

    def _why_null(self) -> str:
        if not self._calibrated_models:
            return "the bundle was not calibrated for any pair of arms"
        if self._calibrated_models == self._models:
            return "the bundle holds no calibration"
        calibrated = " and ".join(self._calibrated_models)
        configured = " and ".join(self._models) or "none"
        return f"the bundle was calibrated for {calibrated}; the configured arms are {configured}"


def _order(threshold: float) -> Order | None:
    if threshold <= 0.0:
        return "cheapest"
    return "dearest" if threshold > 1.0 else None


def _point_at(calibration: Calibration, threshold: float) -> Point | None:
    """The table's entry for a threshold, or None where its neighbours are far apart."""
    table = calibration.dial

    def entry(at: int) -> Point:
        return Point(cloud_share=table.cloud_share[at], quality=table.quality[at])

    # Dial 0 is not quite all-edge where calibration rows were out of scope: those are the cloud's.
    all_edge = entry(0)
    all_cloud = Point(cloud_share=1.0, quality=calibration.cloud_quality)
    if threshold <= 0.0:
        return all_edge
    if threshold > 1.0:
        return all_cloud
    after = bisect_right(table.thresholds, threshold)
    here = entry(after - 1) if after else all_edge
    beyond = entry(after) if after <= GRID else all_cloud
    return here if beyond.cloud_share - here.cloud_share <= NEAR else None
