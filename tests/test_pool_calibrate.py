"""A pool's tables: a weight for each setting, by hand and against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.training.out_of_scope import ROUTER_DECIDES
from hybridroute.training.pool.calibrate import calibrate_pool, costs_alone, judged, weights


def routed(estimates, quality, expected, weight):
    chosen = (estimates - weight * expected).argmax(axis=1)
    rows = np.arange(len(chosen))
    return quality[rows, chosen].mean(), expected[rows, chosen].mean()


def pool(n=400, seed=0):
    """Three arms, 1, 2 and 10 dollars; the dear one is right more often, and it is known where."""
    draw = np.random.default_rng(seed)
    chances = np.clip(draw.normal([0.4, 0.5, 0.8], 0.25, size=(n, 3)), 0.0, 1.0)
    quality = (draw.random((n, 3)) < chances).astype(float)
    return chances, quality, np.broadcast_to([1.0, 2.0, 10.0], (n, 3)).copy()


def test_every_entry_does_what_it_says() -> None:
    estimates, quality, expected = pool()
    found = calibrate_pool(estimates, quality, expected)
    assert found.flat_reason is None
    assert found.dearest_usd == pytest.approx(10.0)
    for table in (found.dial, found.advantage):
        for at in (0, 137, 500, GRID):
            held = routed(estimates, quality, expected, table.cost_weight[at])
            assert table.quality[at] == pytest.approx(held[0], abs=1e-5)
            assert table.cost_usd[at] == pytest.approx(held[1], abs=1e-5)


def test_the_dial_runs_from_the_cheapest_to_the_best() -> None:
    estimates, quality, expected = pool()
    dial = calibrate_pool(estimates, quality, expected).dial
    low, high = quality[:, 0].mean(), max(dial.quality)
    assert dial.quality[0] == pytest.approx(low)
    assert dial.cost_usd[0] == 1.0
    assert dial.cost_weight[0] > 100 * dial.cost_weight[1]
    assert dial.quality[-1] == high
    for at in (250, 500, 900):
        assert dial.quality[at] >= low + at / GRID * (high - low) - 1e-6
    assert (np.diff(dial.cost_usd) >= 0.0).all()
    # The least cost of all weights with that quality.
    ways = [routed(estimates, quality, expected, w) for w in weights(estimates, expected)]
    wanted = low + 0.5 * (high - low)
    assert dial.cost_usd[500] == pytest.approx(
        min(cost for q, cost in ways if q >= wanted), rel=1e-6
    )


def test_the_advantage_needs_no_qualities() -> None:
    estimates, quality, expected = pool()
    advantage = calibrate_pool(estimates, quality, expected).advantage
    other = calibrate_pool(estimates, 1.0 - quality, expected).advantage
    assert advantage.cost_weight == other.cost_weight
    assert advantage.cost_weight[0] == 0.0
    assert all(
        cost <= (1.0 - at / GRID) * 10.0 + 1e-6 for at, cost in enumerate(advantage.cost_usd[:900])
    )
    assert advantage.cost_usd[-1] == 1.0


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_with_missing_cells_choices_are_still_made_among_all_arms(share: float) -> None:
    estimates, quality, expected = pool(4000)
    whole = calibrate_pool(estimates, quality, expected)
    quality[np.random.default_rng(1).random(quality.shape) < share] = np.nan
    found = calibrate_pool(estimates, quality, expected)
    # What is chosen, and its cost, has nothing to do with which outcomes are at hand.
    assert found.advantage.cost_usd == whole.advantage.cost_usd
    assert found.dial.cost_usd[0] == 1.0
    assert found.dial.quality[0] == pytest.approx(np.nanmean(quality[:, 0]), abs=1e-6)
    for at in (0, 250, 500, 1000):
        chosen = (estimates - found.dial.cost_weight[at] * expected).argmax(axis=1)
        assert found.dial.cost_usd[at] == pytest.approx(
            expected[np.arange(len(chosen)), chosen].mean(), rel=1e-6
        )
    _, complete, _ = pool(4000)
    for at in (0, 250, 500, 1000):
        really = routed(estimates, complete, expected, found.dial.cost_weight[at])[0]
        assert found.dial.quality[at] == pytest.approx(really, abs=0.02)


def test_missing_cells_make_noise_look_no_better() -> None:
    """The best of many settings of noise passes 2 SE now and then; with them no oftener."""
    turned = 0
    for seed in range(16):
        draw = np.random.default_rng(seed)
        quality = (draw.random((300, 4)) < 0.5).astype(float)
        quality[draw.random(quality.shape) < 0.6] = np.nan
        estimates = draw.normal(0.5, 0.05, quality.shape)
        found = calibrate_pool(estimates, quality, np.tile([1.0, 2.0, 4.0, 8.0], (300, 1)))
        turned += found.flat_reason is None
    assert turned <= 4


def test_values_of_missing_cells_by_hand() -> None:
    """Twelve choose arm 0, of whom one lacks the outcome; three choose arm 1, two lack it."""
    quality = np.full((15, 2), np.nan)
    quality[:11, 0] = [1.0] * 8 + [0.0] * 3
    quality[12, 1] = 1.0
    quality[:4, 1] = 0.0
    value = judged(quality, np.array([0] * 12 + [1] * 3))
    assert value[:12].mean() == pytest.approx(8 / 11)
    assert value[11] == pytest.approx(8 / 11)
    assert value[:11].std() == pytest.approx(12 / 11 * np.std([1.0] * 8 + [0.0] * 3))
    # One chooser's outcome is too few for a mean: the arm's mean over all rows stands in.
    assert value[12:].tolist() == [1.0, 0.2, 0.2]


def test_costs_alone_state_no_quality() -> None:
    estimates, quality, expected = pool()
    found = costs_alone(estimates, expected, "nobody has judged")
    assert found.flat_reason == "nobody has judged"
    assert found.dial.quality == found.advantage.quality == ()
    whole = calibrate_pool(estimates, quality, expected).advantage
    assert found.advantage.cost_weight == whole.cost_weight


def test_a_pool_with_nothing_to_turn_says_why() -> None:
    estimates, quality, expected = pool()
    level = calibrate_pool(estimates, quality, np.zeros_like(expected))
    assert "cost the same" in str(level.flat_reason)
    assert level.dearest_usd == 0.0
    worse = calibrate_pool(estimates, quality[:, [2, 1, 0]] * [1.0, 0.0, 0.0], expected)
    assert "no setting improves" in str(worse.flat_reason)
    few = calibrate_pool(estimates[:4], quality[:4], expected[:4])
    wanted = "gains 0.5 over the arm expected cheapest for each query, under 2 SE (0.5774"
    assert wanted in str(few.flat_reason)
    with pytest.raises(TrainingError, match="1 row"):
        calibrate_pool(estimates[:1], quality[:1], expected[:1])


def test_rows_that_the_router_cannot_read_go_to_one_arm_at_every_weight() -> None:
    estimates, quality, expected = pool()
    outside = np.arange(len(estimates)) % 4 == 0
    fixed = np.where(outside, 1, ROUTER_DECIDES)
    found = calibrate_pool(estimates, quality, expected, fixed=fixed)
    for table in (found.dial, found.advantage):
        for at in (0, 137, 500, GRID):
            weight = table.cost_weight[at]
            chosen = (estimates - weight * expected).argmax(axis=1)
            chosen[outside] = 1
            rows = np.arange(len(chosen))
            assert table.quality[at] == pytest.approx(quality[rows, chosen].mean(), abs=1e-5)
            assert table.cost_usd[at] == pytest.approx(expected[rows, chosen].mean(), abs=1e-5)
    assert found.dial.cost_usd[0] == pytest.approx(0.75 * 1.0 + 0.25 * 2.0)
    wild = np.where(outside[:, None], [9.0, -9.0, 5.0], estimates)
    assert calibrate_pool(wild, quality, expected, fixed=fixed) == found
    alone = costs_alone(estimates, expected, "nobody has judged", fixed=fixed)
    assert alone.dial.cost_usd == found.advantage.cost_usd
    nothing = np.ones(len(estimates), dtype=np.intp)
    with pytest.raises(TrainingError, match="none of the 400 calibration rows"):
        calibrate_pool(estimates, quality, expected, fixed=nothing)


def test_equal_estimates_go_to_the_cheapest_arm() -> None:
    _, quality, expected = pool()
    found = calibrate_pool(np.full(quality.shape, 0.5), quality, expected)
    assert set(found.advantage.cost_usd) == {1.0}


def test_a_thousand_arms_are_calibrated() -> None:
    draw = np.random.default_rng(0)
    estimates = draw.random((60, 1000))
    costs = np.sort(draw.random(1000))
    found = calibrate_pool(
        estimates, (draw.random((60, 1000)) < estimates).astype(float), np.tile(costs, (60, 1))
    )
    assert found.flat_reason is None
    assert len(found.dial.cost_weight) == GRID + 1
