"""ThresholdPolicy: setting -> threshold, and what is expected of it."""

from __future__ import annotations

import json

import pytest
from sdk_fakes import CLOUD_MODEL, EDGE_MODEL, calibration, dial_table, manifest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import ALL_CLOUD_THRESHOLD, DialTable
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy

PAIR = (EDGE_MODEL, CLOUD_MODEL)
OTHERS = ("small-2", "large-2")


def _threshold(policy: ThresholdPolicy, **setting: float) -> float:
    return policy.activate(Setting(**setting)).threshold


def test_every_grid_setting_takes_its_own_entry() -> None:
    """Also those whose product with the grid is not exact, as 0.07 * 1000."""
    policy = ThresholdPolicy(manifest(), PAIR)
    table = dial_table().thresholds
    for i in range(GRID + 1):
        assert _threshold(policy, dial=i / GRID) == table[i]


def test_all_to_the_edge_still_sends_what_is_out_of_scope_to_the_cloud() -> None:
    held = DialTable(
        thresholds=tuple(i / GRID for i in range(GRID + 1)),
        cloud_share=tuple(0.2 + 0.8 * i / GRID for i in range(GRID + 1)),
        quality=tuple(0.5 + 0.3 * i / GRID for i in range(GRID + 1)),
    )
    policy = ThresholdPolicy(manifest(calibration=calibration(dial=held)), PAIR)
    for setting in (Setting(dial=0.0), Setting(threshold=0.0), Setting(cost_advantage=1.0)):
        found = policy.expect(setting)
        assert (found.cloud_share, found.quality) == (0.2, 0.5)


def test_between_two_entries_the_dial_takes_the_one_of_more_quality() -> None:
    policy = ThresholdPolicy(manifest(), PAIR)
    assert _threshold(policy, dial=0.5001) == dial_table().thresholds[501]


def test_cost_advantage_is_a_share_of_scores_at_or_above_the_threshold() -> None:
    policy = ThresholdPolicy(manifest(), PAIR)
    assert _threshold(policy, cost_advantage=1.0) == 0.0
    assert _threshold(policy, cost_advantage=0.0) == ALL_CLOUD_THRESHOLD
    for i in range(1, GRID):
        assert _threshold(policy, cost_advantage=i / GRID) == (GRID - i) / GRID


def test_other_arms_turn_the_dial_into_a_cloud_share_and_expect_nothing() -> None:
    policy = ThresholdPolicy(manifest(), OTHERS)
    assert not policy.calibrated
    assert _threshold(policy, dial=0.0) == 0.0
    assert _threshold(policy, dial=0.25) == 0.25
    assert _threshold(policy, dial=1.0) == ALL_CLOUD_THRESHOLD
    expected = policy.expect(Setting(dial=0.25))
    assert not expected.calibrated
    assert expected.threshold == 0.25
    numbers = ("cloud_share", "cost_advantage", "quality", "quality_drop", "n", "source")
    assert [getattr(expected, name) for name in numbers] == [None] * len(numbers)
    assert "small-2" in str(expected.reason)
    assert EDGE_MODEL in str(expected.reason)


@pytest.mark.parametrize(
    "models", [(CLOUD_MODEL, EDGE_MODEL), (EDGE_MODEL,), (), (EDGE_MODEL, "large-2")]
)
def test_calibrated_only_for_the_same_models_in_the_same_places(models: tuple[str, ...]) -> None:
    assert not ThresholdPolicy(manifest(), models).calibrated


def test_a_bundle_without_calibration_says_so() -> None:
    expected = ThresholdPolicy(manifest(calibration=None), PAIR).expect(Setting(dial=0.5))
    assert not expected.calibrated
    assert "no calibration" in str(expected.reason)


def test_expectation_of_a_dial() -> None:
    expected = ThresholdPolicy(manifest(), PAIR).expect(Setting(dial=0.5))
    assert expected.calibrated
    assert expected.cloud_share == pytest.approx(0.4)
    assert expected.cost_advantage == pytest.approx(0.6)
    assert expected.quality == pytest.approx(0.6)
    assert expected.quality_drop == pytest.approx(0.15)
    assert expected.quality_drop_relative == pytest.approx(0.2)
    assert (expected.n, expected.source, expected.reason) == (500, "test rows", None)


def test_relative_drop_is_refused_near_zero_quality() -> None:
    near_zero = calibration(cloud_quality=0.04, cloud_quality_se=0.01)
    expected = ThresholdPolicy(manifest(calibration=near_zero), PAIR).expect(Setting(dial=0.5))
    assert expected.quality_drop == pytest.approx(0.04 - 0.6)
    assert expected.quality_drop_relative is None
    assert "relative" in str(expected.reason)


def test_negative_qualities_keep_the_sign_of_the_drop() -> None:
    """BARTScore is a log-likelihood: all-cloud -2, routed -3 is a drop of 1, half of 2."""
    negative = calibration(
        edge_quality=-4.0,
        cloud_quality=-2.0,
        best_quality=-2.0,
        dial=dial_table(edge=-4.0, best=-2.0, share=1.0),
    )
    expected = ThresholdPolicy(manifest(calibration=negative), PAIR).expect(Setting(dial=0.5))
    assert expected.quality == pytest.approx(-3.0)
    assert expected.quality_drop == pytest.approx(1.0)
    assert expected.quality_drop_relative == pytest.approx(0.5)


def test_routing_better_than_all_cloud_is_a_negative_drop() -> None:
    expected = ThresholdPolicy(manifest(), PAIR).expect(Setting(dial=1.0))
    assert expected.quality_drop == pytest.approx(-0.05)


def test_a_flat_curve_refuses_the_dial_and_says_what_to_do() -> None:
    flat = calibration(flat=True, flat_reason="the edge is the better arm")
    policy = ThresholdPolicy(manifest(calibration=flat), PAIR)
    with pytest.raises(ConfigError, match=r"flat \(the edge is the better arm\).*cost_advantage"):
        policy.activate(Setting(dial=0.5))
    with pytest.raises(ConfigError, match="flat"):
        policy.expect(Setting(dial=0.5))
    assert policy.default == Setting(cost_advantage=0.5)
    assert _threshold(policy, cost_advantage=0.25) == 0.75
    assert _threshold(policy, threshold=0.3) == 0.3


def test_other_arms_do_not_inherit_flatness() -> None:
    flat = calibration(flat=True)
    policy = ThresholdPolicy(manifest(calibration=flat), OTHERS)
    assert policy.default == Setting(dial=0.5)
    assert _threshold(policy, dial=0.25) == 0.25


def test_without_quantiles_only_what_is_known_works() -> None:
    calibrated = ThresholdPolicy(manifest(score_quantiles=None), PAIR)
    assert _threshold(calibrated, dial=0.5) == pytest.approx(0.45)
    with pytest.raises(ConfigError, match="calibrate --prompts"):
        calibrated.activate(Setting(cost_advantage=0.5))
    unknown = ThresholdPolicy(manifest(score_quantiles=None, calibration=None), PAIR)
    assert unknown.default == Setting(threshold=0.5)
    assert _threshold(unknown, threshold=0.7) == 0.7
    with pytest.raises(ConfigError, match="dial needs"):
        unknown.activate(Setting(dial=0.5))
    assert _threshold(unknown, dial=0.0) == 0.0, "all-edge needs no quantiles"


def test_a_threshold_on_the_table_has_its_entry_s_numbers() -> None:
    policy = ThresholdPolicy(manifest(), PAIR)
    of_dial = policy.expect(Setting(dial=0.5))
    of_threshold = policy.expect(Setting(threshold=of_dial.threshold + 1e-5))
    assert of_threshold.cloud_share == of_dial.cloud_share
    assert of_threshold.quality == of_dial.quality
    of_advantage = policy.expect(Setting(cost_advantage=1.0 - 0.45))
    assert of_advantage.cloud_share == of_dial.cloud_share


def test_a_threshold_off_the_table_has_no_numbers() -> None:
    """Beyond the last entry (80 % to the cloud) nothing was measured before all-cloud."""
    expected = ThresholdPolicy(manifest(), PAIR).expect(Setting(threshold=0.95))
    assert expected.calibrated
    assert expected.cloud_share is None
    assert expected.quality is None
    assert expected.n == 500
    assert "0.95" in str(expected.reason)


def test_a_jump_in_the_table_has_no_numbers_inside() -> None:
    steps = [1.0 if i > GRID // 2 else 0.0 for i in range(GRID + 1)]
    jump = DialTable(
        thresholds=tuple(step * 0.6 for step in steps),
        cloud_share=tuple(step * 0.5 for step in steps),
        quality=tuple(0.4 + 0.4 * step for step in steps),
    )
    policy = ThresholdPolicy(manifest(calibration=calibration(dial=jump)), PAIR)
    assert policy.expect(Setting(threshold=0.3)).cloud_share is None


def test_both_ends_are_known_exactly() -> None:
    policy = ThresholdPolicy(manifest(), PAIR)
    all_edge = policy.expect(Setting(cost_advantage=1.0))
    assert (all_edge.cloud_share, all_edge.quality) == (0.0, 0.4)
    all_cloud = policy.expect(Setting(threshold=1.01))
    assert (all_cloud.cloud_share, all_cloud.quality) == (1.0, 0.75)
    assert all_cloud.quality_drop == 0.0


def test_to_dict_is_json() -> None:
    body = ThresholdPolicy(manifest(), PAIR).expect(Setting(dial=0.5)).to_dict()
    assert json.loads(json.dumps(body))["setting"] == {"kind": "dial", "value": 0.5}
