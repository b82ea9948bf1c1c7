"""A new arm's column: an arm that is like the others is learnt from a handful of outcomes."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.training.pool.new_column import fit_column, left_out


def rows(n: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    states = draw.normal(size=(n, 30))
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    hard = 1.0 / (1.0 + np.exp(-6.0 * states[:, 0]))
    return states, np.column_stack([hard - 0.1, hard, 0.8 * hard + 0.1])


def error(found: np.ndarray, truth: np.ndarray) -> float:
    return float(np.square(found - truth).mean())


def test_an_arm_that_is_as_the_others_and_a_little_better_needs_few_outcomes() -> None:
    states, known = rows(25)
    draw = np.random.default_rng(1)
    chance = known.mean(axis=1) + 0.1
    quality = (draw.random(25) < chance).astype(float)
    column = fit_column(states, known, quality, [0, 1, 2])
    assert column.leans
    other, there = rows(500, seed=2)
    truth = there.mean(axis=1) + 0.1
    found = column.predicted(other, there)[:, 0]
    own = fit_column(states, known, quality, [0, 1, 2], leans=(False,))
    assert error(found, truth) < 0.02
    assert error(found, truth) < error(own.predicted(other, there)[:, 0], truth)


def test_an_arm_that_is_good_where_the_others_are_not_is_learnt_too() -> None:
    states, known = rows(600)
    quality = 1.0 - known.mean(axis=1)
    column = fit_column(states, known, quality, [0, 1, 2])
    other, there = rows(500, seed=2)
    assert error(column.predicted(other, there)[:, 0], 1.0 - there.mean(axis=1)) < 1e-3


def test_left_out_estimates_of_noise_know_nothing_of_it() -> None:
    states, known = rows(200)
    quality = np.random.default_rng(3).normal(size=200)
    column = fit_column(states, known, quality, [0, 1, 2], alphas=(1e-3,))
    inside = column.predicted(states, known)[:, 0]
    outside = left_out(column, states, known, quality)
    assert np.corrcoef(inside, quality)[0, 1] > 0.3
    assert np.corrcoef(outside, quality)[0, 1] < 0.15
    assert outside.shape == (200,)


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_outcomes_that_are_all_equal_give_that_estimate(value: float) -> None:
    states, known = rows(60)
    column = fit_column(states, known, np.full(60, value), [0, 1, 2])
    np.testing.assert_allclose(column.predicted(states, known), value, atol=1e-9)
