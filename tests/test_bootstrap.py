"""The bootstrap: weights are resamples, and the weighted APGR is the exact curve's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.bootstrap import (
    apgr_difference,
    apgr_interval,
    resample_weights,
    weighted_apgr,
)
from hybridroute.training.curve import curve_of
from hybridroute.training.metrics import apgr


def sample(n=300, seed=0):
    draw = np.random.default_rng(seed)
    edge = (draw.random(n) < 0.5).astype(float)
    cloud = (draw.random(n) < 0.8).astype(float)
    good = np.round(0.5 + 0.3 * (edge - cloud) + 0.2 * draw.random(n), 2)
    return good, draw.random(n), edge, cloud, [f"d{i % 5}" for i in range(n)]


@given(st.lists(st.integers(0, 3), min_size=40, max_size=40), st.integers(0, 99))
def test_weights_stand_for_repeated_rows(counts, seed):
    score, _, edge, cloud, _ = sample(40, seed)
    drawn = np.repeat(np.arange(40), counts)
    found = weighted_apgr(score, cloud - edge, np.array([counts], dtype=float))[0]
    if not (cloud - edge)[drawn].sum() > 0:
        assert np.isnan(found)
        return
    curve = curve_of(score[drawn], edge[drawn], cloud[drawn])
    assert found == pytest.approx((curve.gain / curve.gain[-1]).mean())


def test_row_resamples_keep_the_size():
    weights = resample_weights(50, None, resamples=20, seed=1)
    assert weights.shape == (20, 50)
    assert (weights.sum(axis=1) == 50).all()
    assert weights.mean() == 1.0


def test_domain_resamples_take_whole_domains_then_rows():
    domains = ["a"] * 3 + ["b"] * 5 + ["c"] * 7
    weights = resample_weights(15, domains, resamples=200, seed=1)
    sums = np.array([weights[:, :3].sum(1), weights[:, 3:8].sum(1), weights[:, 8:].sum(1)])
    draws = sums / np.array([[3], [5], [7]])
    assert (draws == draws.round()).all()
    assert (draws.sum(axis=0) == 3).all()
    assert (draws == 0).any()


def test_the_estimates_are_those_of_the_rows_themselves():
    good, noise, edge, cloud, domains = sample()
    a, b = (apgr(curve_of(scores, edge, cloud)) for scores in (good, noise))
    found = apgr_difference(good, noise, edge, cloud, domains=domains)
    assert found.estimate == pytest.approx(a - b)
    assert found.resampled == "domains, then rows"
    assert found.low < found.estimate < found.high
    assert found.low > 0
    assert apgr_interval(good, edge, cloud).estimate == pytest.approx(a)


def test_the_interval_covers_the_spread_of_fresh_samples():
    estimates = [
        apgr_interval(good, edge, cloud, resamples=2).estimate
        for good, _, edge, cloud, _ in (sample(400, seed) for seed in range(200))
    ]
    good, _, edge, cloud, _ = sample(400, 777)
    found = apgr_interval(good, edge, cloud, resamples=500)
    assert found.se == pytest.approx(np.std(estimates), rel=0.3)


def test_a_router_against_itself_differs_by_exactly_nothing():
    good, _, edge, cloud, domains = sample()
    found = apgr_difference(good, good, edge, cloud, domains=domains)
    assert (found.estimate, found.se, found.low, found.high) == (0.0, 0.0, 0.0, 0.0)


def test_the_seed_fixes_the_interval():
    good, noise, edge, cloud, _ = sample()
    one, same, other = (
        apgr_difference(good, noise, edge, cloud, resamples=50, seed=seed) for seed in (1, 1, 2)
    )
    assert one == same != other


def test_resamples_without_a_gap_are_counted():
    edge, cloud = np.array([0.0, 0.0, 1.0, 1.0]), np.array([1.0, 1.0, 1.0, 0.0])
    found = apgr_interval([0.1, 0.2, 0.3, 0.4], edge, cloud, resamples=300)
    assert 0 < found.undefined < 300


def test_what_cannot_be_resampled_is_refused():
    good, noise, edge, cloud, _ = sample()
    with pytest.raises(DataError, match="undefined"):
        apgr_difference(good, noise, cloud, edge)
    with pytest.raises(DataError, match="domains for"):
        apgr_interval(good, edge, cloud, domains=["a"])
    with pytest.raises(ConfigError, match="resamples is 1"):
        apgr_interval(good, edge, cloud, resamples=1)
    with pytest.raises(ConfigError, match="level is 1"):
        apgr_interval(good, edge, cloud, level=1.0)
