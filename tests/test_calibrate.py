"""The dial's table: its definition by brute force, and every shape of pair."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import DataError, TrainingError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import ALL_CLOUD_THRESHOLD
from hybridroute.training.calibrate import calibrate

rows = st.lists(
    st.tuples(st.integers(0, 6), st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=15
)


def split(held):
    score, edge, cloud = (np.array(column, dtype=float) for column in zip(*held, strict=True))
    return score / 6.0, edge, cloud


def routed(score, edge, cloud, threshold):
    return np.where(score >= threshold, edge, cloud)


@given(rows)
def test_the_table_tells_the_truth_about_its_own_rows(held):
    score, edge, cloud = split(held)
    dial = calibrate(score, edge, cloud, "rows").dial
    for i in range(0, GRID + 1, 50):
        answers = routed(score, edge, cloud, dial.thresholds[i])
        assert dial.quality[i] == pytest.approx(answers.mean(), abs=1e-9)
        assert dial.cloud_share[i] == pytest.approx((score < dial.thresholds[i]).mean())


@given(rows)
def test_each_setting_is_the_least_cloud_share_that_reaches_its_level(held):
    score, edge, cloud = split(held)
    found = calibrate(score, edge, cloud, "rows")
    cuts = [0.0, *np.unique(score)[1:], 2.0]
    points = [
        ((score < cut).mean(), routed(score, edge, cloud, cut).mean()) for cut in sorted(cuts)
    ]
    best = max(quality for _, quality in points)
    assert found.best_quality == pytest.approx(best, abs=1e-9)
    for i in range(0, GRID + 1, 125):
        level = edge.mean() + i / GRID * (best - edge.mean())
        wanted = min(share for share, quality in points if quality >= level - 1e-9)
        assert found.dial.cloud_share[i] == pytest.approx(wanted)


@given(rows)
def test_the_dial_is_monotone_from_all_edge_to_the_best(held):
    found = calibrate(*split(held), "rows")
    assert found.dial.thresholds[0] == 0.0
    assert found.dial.cloud_share[0] == 0.0
    assert found.dial.quality[-1] == found.best_quality
    for column in (found.dial.thresholds, found.dial.cloud_share, found.dial.quality):
        assert list(column) == sorted(column)


def test_round_off_does_not_lose_the_top():
    draw = np.random.default_rng(0)
    for _ in range(200):
        edge, cloud = draw.normal(0.1, 1.0, (2, 37)) * 0.1
        found = calibrate(draw.random(37), edge, cloud + 0.05, "rows")
        assert found.dial.quality[-1] == found.best_quality


@given(rows, st.randoms(use_true_random=False))
def test_rows_that_the_router_cannot_read_are_the_clouds_at_every_setting(held, draw):
    score, edge, cloud = split(held)
    outside = np.array([draw.random() < 0.4 for _ in held])
    outside[draw.randrange(len(held))] = False
    found = calibrate(score, edge, cloud, "rows", outside=outside)
    assert found.edge_quality == pytest.approx(np.where(outside, cloud, edge).mean())
    assert found.dial.thresholds[0] == 0.0
    assert found.dial.cloud_share[0] == pytest.approx(outside.mean())
    for i in range(0, GRID + 1, 125):
        to_cloud = outside | (score < found.dial.thresholds[i])
        assert found.dial.cloud_share[i] == pytest.approx(to_cloud.mean())
        quality = np.where(to_cloud, cloud, edge).mean()
        assert found.dial.quality[i] == pytest.approx(quality, abs=1e-9)
        assert quality >= found.edge_quality - 1e-9
    changed = calibrate(np.where(outside, 7.0, score), edge, cloud, "rows", outside=outside)
    assert changed == found  # their scores are not looked at


def test_rows_out_of_scope_alone_cannot_calibrate():
    with pytest.raises(TrainingError, match="none of the 2 calibration rows"):
        calibrate([0.1, 0.9], [0.0, 1.0], [1.0, 1.0], "rows", outside=[True, True])
    with pytest.raises(DataError, match="columns of one length"):
        calibrate([0.1, 0.9], [0.0, 1.0], [1.0, 1.0], "rows", outside=[True])


def weak_and_strong(n=600, seed=0):
    draw = np.random.default_rng(seed)
    edge = (draw.random(n) < 0.5).astype(float)
    cloud = (draw.random(n) < 0.9).astype(float)
    return np.clip(0.5 + 0.3 * (edge - cloud) + 0.2 * draw.normal(size=n), 0, 1), edge, cloud


def test_a_weak_and_a_strong_arm_have_a_live_dial():
    score, edge, cloud = weak_and_strong()
    found = calibrate(score, edge, cloud, "rows")
    assert not found.flat
    assert found.flat_reason is None
    assert found.n == 600
    sent = np.where(score < found.dial.thresholds[-1], cloud - edge, 0.0)
    assert found.best_gain_se == pytest.approx(sent.std(ddof=1) / np.sqrt(600))
    assert found.cloud_quality_se == pytest.approx(cloud.std(ddof=1) / np.sqrt(600))


def test_negative_qualities_give_the_same_dial():
    score, edge, cloud = weak_and_strong()
    high, low = (calibrate(score, edge + by, cloud + by, "rows") for by in (0.0, -8.0))
    assert low.dial.thresholds == high.dial.thresholds
    assert low.best_quality == pytest.approx(high.best_quality - 8.0)
    assert low.flat == high.flat


def test_complementing_arms_stop_before_all_cloud():
    edge, cloud = np.repeat([0.0, 1.0], 100), np.repeat([1.0, 0.0], 100)
    found = calibrate(np.linspace(0, 1, 200), edge, cloud, "rows")
    assert not found.flat
    assert found.dial.cloud_share[-1] == 0.5
    assert found.best_quality == 1.0
    assert found.dial.thresholds[-1] == pytest.approx(0.5)


def test_a_better_edge_is_flat_and_stays_all_edge():
    _, edge, cloud = weak_and_strong()
    found = calibrate(np.full(600, 0.5), cloud, edge, "rows")
    assert found.flat
    assert "edge arm is better overall" in found.flat_reason
    assert set(found.dial.thresholds) == {0.0}
    assert found.best_gain_se == 0.0
    noise = calibrate(np.random.default_rng(1).random(600), cloud, edge, "rows")
    assert noise.flat
    assert "edge arm is better overall" in noise.flat_reason


def test_level_arms_are_flat():
    edge = np.tile([0.0, 1.0], 50)
    same = calibrate(np.linspace(0, 1, 100), edge, edge, "rows")
    assert same.flat
    assert "level" in same.flat_reason
    cloud = edge.copy()
    cloud[:2] = 1.0
    nearly = calibrate(np.linspace(0, 1, 100), edge, cloud, "rows")
    assert nearly.best_quality > nearly.edge_quality
    assert nearly.flat
    assert "under 2 SE" in nearly.flat_reason


def test_constant_scores_can_only_send_all_or_nothing():
    _, edge, cloud = weak_and_strong()
    dial = calibrate(np.full(600, 0.5), edge, cloud, "rows").dial
    assert set(dial.thresholds[1:]) == {ALL_CLOUD_THRESHOLD}
    assert set(dial.cloud_share[1:]) == {1.0}


def test_a_threshold_divides_neighbouring_floats():
    low = 0.5
    high = float(np.nextafter(low, 1))
    score = np.array([low, high])
    dial = calibrate(score, [0.0, 1.0], [1.0, 1.0], "rows").dial
    assert (score >= dial.thresholds[-1]).tolist() == [False, True]


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(TrainingError, match="1 row"):
        calibrate([0.5], [0.0], [1.0], "rows")
    with pytest.raises(TrainingError, match=r"a score is 1\.5"):
        calibrate([0.5, 1.5], [0.0, 0.0], [1.0, 1.0], "rows")
    with pytest.raises(DataError, match="edge_q"):
        calibrate([0.5, 0.6], [0.0, np.nan], [1.0, 1.0], "rows")
