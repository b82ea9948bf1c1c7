"""PGR, APGR, CPT, drops, ECE, Brier: by definition, by brute force, at the edges."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.curve import curve_of
from hybridroute.training.metrics import (
    area_over_random,
    brier,
    cost_advantage,
    cpt,
    ece,
    evaluate_scores,
    pgr,
    quality_drop,
)

# The cloud is right on every row, the edge on the last six of ten: all gain lies in four rows.
EDGE = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1, 1], dtype=float)
CLOUD = np.ones(10)
PERFECT = np.arange(10) / 10


def test_a_perfect_router():
    found = evaluate_scores(PERFECT, EDGE, CLOUD)
    assert found.apgr == pytest.approx((0 + 0.25 + 0.5 + 0.75 + 7 * 1.0) / 11)
    assert (found.cpt50, found.cpt80) == (20.0, 40.0)
    assert found.uplift == 0.0
    assert [drop.absolute for drop in found.drops] == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)


def test_a_router_that_is_wrong_all_along():
    found = evaluate_scores(-PERFECT, EDGE, CLOUD)
    assert found.apgr == pytest.approx((0.25 + 0.5 + 0.75 + 1) / 11)
    assert (found.cpt50, found.cpt80) == (80.0, 100.0)
    assert found.drops[2].absolute == pytest.approx(0.4)
    assert found.drops[2].relative == pytest.approx(0.4)


def test_constant_scores_are_random_routing():
    found = evaluate_scores(np.full(10, 0.3), EDGE, CLOUD)
    assert found.apgr == pytest.approx(0.5)
    assert (found.cpt50, found.cpt80) == (50.0, 80.0)
    assert found.area_over_random == pytest.approx(0.0)


def test_cpt_is_the_first_crossing_of_a_curve_that_falls_again():
    edge, cloud = np.zeros(20), np.ones(20)
    edge[10:14], cloud[10:14] = 1.0, 0.0
    recovered = pgr(curve_of(np.arange(20), edge, cloud))
    assert recovered[8] == pytest.approx(8 / 12)
    assert recovered[14] == pytest.approx(6 / 12)
    assert cpt(curve_of(np.arange(20), edge, cloud), 0.5) == 30.0


def test_a_level_that_is_never_reached_is_none():
    assert cpt(curve_of(PERFECT, EDGE, CLOUD), 1.01) is None


@pytest.mark.parametrize(
    ("edge", "cloud", "said"),
    [
        (CLOUD, EDGE, "q_cloud - q_edge is -0.4, not above 2 SE (0.3266)"),
        (EDGE, EDGE, "q_cloud - q_edge is 0, not above 2 SE (0)"),
        (np.tile([0, 1], 5), np.tile([1, 0], 5), "is 0, not above 2 SE (0.6667)"),
        ([0.0], [1.0], "one row has no standard error"),
    ],
)
def test_pgr_without_a_clear_gap_is_none_with_a_reason(edge, cloud, said):
    found = evaluate_scores(np.linspace(0, 1, len(edge)), edge, cloud)
    assert (found.apgr, found.cpt50, found.cpt80) == (None, None, None)
    assert said in found.pgr_undefined
    json.dumps(found.to_dict(), allow_nan=False)


def test_complementing_arms_report_the_uplift_over_the_better_one():
    edge, cloud = np.repeat([0.0, 1.0], 5), np.repeat([1.0, 0.0], 5)
    found = evaluate_scores(PERFECT, edge, cloud)
    assert found.apgr is None
    assert found.uplift == pytest.approx(0.5)
    assert found.uplift_cloud_share == 0.5


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-5, 5), st.integers(-5, 5)), min_size=2))
def test_area_over_random_agrees_with_apgr(held):
    score, edge, cloud = (np.array(column, dtype=float) for column in zip(*held, strict=True))
    found = evaluate_scores(score, edge, cloud)
    if found.apgr is not None:
        assert found.area_over_random == pytest.approx((found.apgr - 0.5) * found.gap, abs=1e-9)
    assert found.uplift >= -1e-9


def test_any_increasing_map_of_the_scores_changes_nothing():
    draw = np.random.default_rng(2)
    score = draw.integers(0, 9, 60) / 10
    edge, cloud = draw.random(60), draw.random(60) + 0.5
    assert evaluate_scores(score, edge, cloud) == evaluate_scores(np.exp(score), edge, cloud)


def test_negative_qualities_shift_out():
    draw = np.random.default_rng(4)
    score, edge, cloud = draw.random(80), draw.random(80), draw.random(80) + 0.4
    high, low = (evaluate_scores(score, edge + by, cloud + by) for by in (0.0, -7.0))
    assert low.apgr == pytest.approx(high.apgr)
    assert low.drops[0].absolute == pytest.approx(high.drops[0].absolute)
    assert low.drops[0].relative == pytest.approx(low.drops[0].absolute / -low.cloud_quality)


def test_a_relative_drop_is_refused_near_zero():
    draw = np.random.default_rng(1)
    curve = curve_of(draw.random(50), draw.normal(size=50), draw.normal(size=50))
    drop = quality_drop(curve, 0.2)
    assert drop.relative is None
    assert "under 5 SE" in drop.refused
    assert quality_drop(curve_of([0.1, 0.2], [0, 1], [0, 0]), 0.2).relative is None


def test_a_drop_outside_the_range_is_refused():
    with pytest.raises(ConfigError, match=r"cost_advantage is 1\.2"):
        quality_drop(curve_of(PERFECT, EDGE, CLOUD), 1.2)


def test_drops_at_the_ends_are_all_cloud_and_all_edge():
    curve = curve_of(PERFECT, EDGE, CLOUD)
    assert quality_drop(curve, 0.0).absolute == pytest.approx(0.0)
    assert quality_drop(curve, 1.0).absolute == pytest.approx(0.4)
    assert area_over_random(curve) > 0


def test_cost_advantage_counts_scores_at_the_threshold_as_edge():
    assert cost_advantage([0.1, 0.5, 0.9, 0.5], 0.5) == 0.75


def test_brier_and_ece_by_hand():
    scores, labels = [0.9, 0.9, 0.1, 0.1], [1.0, 0.0, 0.0, 0.0]
    assert brier(scores, labels) == pytest.approx((0.01 + 0.81 + 0.01 + 0.01) / 4)
    assert ece(scores, labels) == pytest.approx((0.4 * 2 + 0.1 * 2) / 4)
    assert ece([1.0, 0.0], [1.0, 0.0]) == 0.0
    found = evaluate_scores(scores, [1, 0, 0, 0], [1, 1, 1, 1], labels=labels)
    assert (found.brier, found.ece) == (brier(scores, labels), ece(scores, labels))


def test_ece_and_brier_refuse_what_is_no_probability():
    with pytest.raises(DataError, match=r"scores holds 1\.2"):
        brier([1.2, 0.3], [0.0, 1.0])
    with pytest.raises(DataError, match=r"labels holds -1"):
        ece([0.2, 0.3], [-1.0, 1.0])
