"""training/judging/cost_curve.py: the sweep, and RouteLLM's CPT as the case of two flat prices."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.training.judging.cost_curve import (
    Ends,
    cost_share_at,
    hull_with,
    saving_against_random,
    sweep,
)

QUALITY = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
COST = np.broadcast_to([0.0, 1.0], (4, 2)).copy()
ENDS = Ends(low_cost=0.0, low_quality=0.5, high_cost=1.0, high_quality=0.75, clear=True)
LOW = (ENDS.low_cost, ENDS.low_quality)


def test_the_ends_of_a_sweep_are_quality_alone_and_cost_alone() -> None:
    held = sweep(QUALITY, "quality", expected=COST, quality=QUALITY, cost=COST, seed=0)
    assert held.quality[:, 0].tolist() == [1, 1, 1, 1]
    assert held.cost[:, -1].tolist() == [0, 0, 0, 0]
    assert held.quality[:, -1].tolist() == QUALITY[:, 0].tolist()
    means = held.cost.mean(axis=0)
    assert (np.diff(means) <= 1e-12).all()


def test_an_order_alone_cannot_be_weighed_against_money() -> None:
    held = sweep(QUALITY, "ordinal", expected=COST, quality=QUALITY, cost=COST, seed=0)
    assert held.quality.shape == (4, 2)


def test_estimates_or_costs_that_do_not_differ_have_two_ends() -> None:
    flat = np.ones((4, 2))
    for estimates, expected in ((flat, COST), (QUALITY, flat)):
        held = sweep(estimates, "quality", expected=expected, quality=QUALITY, cost=COST, seed=0)
        assert held.quality.shape == (4, 2)


def test_two_flat_prices_give_the_share_of_strong_calls() -> None:
    """Calls to the dear arm in the order of the gain: half of the gap with the first of four."""
    hull = hull_with(np.array([0.75, 1.0]), np.array([0.25, 0.5]), LOW)
    assert cost_share_at(hull, ENDS, 0.5) == pytest.approx(0.125)
    assert saving_against_random(0.125, 0.5) == pytest.approx(4.0)
    assert cost_share_at(hull, ENDS, 5.0) is None


def test_a_random_mix_of_both_ends_saves_nothing() -> None:
    hull = hull_with(np.array([0.75]), np.array([1.0]), LOW)
    for level in (0.5, 0.8):
        share = cost_share_at(hull, ENDS, level)
        assert saving_against_random(share, level) == pytest.approx(1.0)


def test_no_saving_is_stated_where_there_is_nothing_to_save() -> None:
    held = {"low_cost": 1.0, "low_quality": 0.5, "high_quality": 0.7}
    assert "costs no more" in str(Ends(**held, high_cost=1.0, clear=True).undefined())
    assert "2 SE" in str(Ends(**held, high_cost=2.0, clear=False).undefined())
    assert Ends(**held, high_cost=2.0, clear=True).undefined() is None
    assert saving_against_random(None, 0.5) is None
    assert saving_against_random(0.0, 0.5) is None
