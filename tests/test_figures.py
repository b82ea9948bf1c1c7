"""training/judging/figures.py: intervals of AIQ where resamples differ in what is cheapest."""

from __future__ import annotations

import numpy as np
import pytest
from pool_case import scores
from test_yardstick import yardstick

from hybridroute.training.judging.averaged_rows import AveragedRows
from hybridroute.training.judging.figures import aiq_difference, aiq_draws, savings_of
from hybridroute.training.judging.yardstick import Yardstick

Floats = np.ndarray


def of_arm(arm: int, quality: Floats, cost: Floats) -> AveragedRows:
    """A router that always calls this arm."""
    shares = np.eye(quality.shape[1])[arm]
    held = {"shares": shares, "swept": None, "by_run": (), "entropy": 0.0}
    return AveragedRows(quality=quality[:, arm], cost=cost[:, arm], **held)


def judged(quality: Floats, cost: Floats) -> Yardstick:
    texts = [f"old {row}" for row in range(len(quality))]
    return yardstick(scores(quality, cost=cost, texts=texts), scores(quality, cost=cost))


def test_two_cheap_arms_of_nearly_one_cost_leave_aiq_its_interval() -> None:
    """Which of them is cheapest changes from resample to resample."""
    draw = np.random.default_rng(0)
    quality = (draw.random((300, 3)) < [0.4, 0.5, 0.8]).astype(float)
    cost = draw.lognormal(0.0, 0.5, (300, 3)) * [1e-4, 1.01e-4, 1e-2]
    held = judged(quality, cost)
    assert held.drawn is not None
    lows = np.array([low for low, _ in held.drawn.low])
    assert (lows == [low for low, _ in held.drawn.spans]).all()
    dear, cheap = of_arm(2, quality, cost), of_arm(1, quality, cost)
    drawn = aiq_draws(dear, held)
    assert drawn is not None
    assert np.isfinite(drawn).all()
    found = savings_of(dear, held)
    assert found is not None
    assert found.aiq is not None
    assert found.aiq_ci95 is not None
    assert found.aiq_ci95[0] < found.aiq < found.aiq_ci95[1]
    lead = aiq_difference("dear", dear, "cheap", cheap, held)
    assert lead is not None
    assert lead.ci95[0] > 0.0


def test_resamples_in_which_all_costs_are_equal_are_passed_over() -> None:
    """One row alone tells the arms' costs apart; a third of the resamples lack it."""
    quality = np.tile([0.0, 1.0], (40, 1))
    cost = np.full((40, 2), 0.25)
    cost[0, 1] = 0.5
    held = judged(quality, cost)
    dear, cheap = of_arm(1, quality, cost), of_arm(0, quality, cost)
    drawn = aiq_draws(dear, held)
    assert drawn is not None
    assert 0.2 < np.isnan(drawn).mean() < 0.5
    found = savings_of(dear, held)
    assert found is not None
    assert found.aiq == pytest.approx(0.5)
    assert found.aiq_ci95 == pytest.approx((0.5, 0.5))
    lead = aiq_difference("dear", dear, "cheap", cheap, held)
    assert lead is not None
    assert lead.ci95 == pytest.approx((0.5, 0.5))
