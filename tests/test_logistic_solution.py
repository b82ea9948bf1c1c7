"""training/pool/logistic_solution.py: the minimum is met, on easy rows and on awkward ones."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.pool.logistic_solution import logistic_solution, logistic_solutions

Floats = NDArray[np.float64]


def unit_rows(count: int, width: int, *, seed: int) -> Floats:
    drawn = np.random.default_rng(seed).normal(size=(count, width))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def three_tasks(seed: int) -> tuple[Floats, Floats]:
    """Three groups of states; an arm succeeds nearly always at two of them, never at the third.

    One curvature for all rows of an arm is not enough here: steps by it end after thousands.
    """
    rng = np.random.default_rng(seed)
    task = np.repeat([0, 1, 2], [300, 60, 300])
    states = unit_rows(3, 200, seed=seed)[task] + 0.3 * rng.normal(size=(len(task), 200))
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    chance = np.array([[0.99, 0.6], [0.0, 1.0], [0.9, 0.99]])[task]
    return states, (rng.random(chance.shape) < chance).astype(np.float64)


def slopes(states: Floats, target: Floats, weights: Floats, bias: Floats, l2: float) -> Floats:
    """The loss's slope by weights and bias, as its definition has it."""
    chance = 1.0 / (1.0 + np.exp(-(states @ weights + bias)))
    off = np.where(np.isnan(target), 0.0, chance - target)
    return np.vstack((states.T @ off + l2 * weights, off.sum(axis=0)))


@pytest.mark.parametrize("l2", [0.003, 0.03, 1.0, 30.0])
def test_the_slope_vanishes_where_tasks_differ_much(l2: float) -> None:
    states, target = three_tasks(0)
    found = logistic_solution(states, target, l2=l2)
    assert np.abs(slopes(states, target, found.weights, found.bias, l2)).max() < 1e-5


def test_soft_labels_and_missing_cells() -> None:
    rng = np.random.default_rng(3)
    states = unit_rows(200, 12, seed=1)
    target = rng.random((200, 3))
    target[rng.random(target.shape) < 0.3] = np.nan
    found = logistic_solution(states, target, l2=0.5)
    assert np.abs(slopes(states, target, found.weights, found.bias, 0.5)).max() < 1e-6
    there = ~np.isnan(target[:, 1])
    alone = logistic_solution(states[there], target[there, 1:2], l2=0.5)
    assert found.weights[:, 1] == pytest.approx(alone.weights[:, 0], abs=1e-6)


def test_several_penalties_are_each_solved_for_as_alone() -> None:
    states, target = three_tasks(2)
    given = (0.3, 30.0, 1.0)
    for l2, found in zip(given, logistic_solutions(states, target, l2=given), strict=True):
        assert np.abs(slopes(states, target, found.weights, found.bias, l2)).max() < 1e-5
        alone = logistic_solution(states, target, l2=l2)
        np.testing.assert_allclose(found.weights, alone.weights, atol=1e-6)


def test_an_arm_that_is_always_right_or_always_wrong_stays_finite() -> None:
    states = unit_rows(50, 6, seed=2)
    found = logistic_solution(states, np.tile([0.0, 1.0], (50, 1)), l2=1.0)
    assert found.predicted(states) == pytest.approx(np.tile([1e-4, 1 - 1e-4], (50, 1)), abs=1e-6)


def test_more_columns_than_rows() -> None:
    states = unit_rows(8, 20, seed=4)
    target = np.random.default_rng(5).integers(0, 2, (8, 2)).astype(np.float64)
    found = logistic_solution(states, target, l2=0.1)
    assert np.abs(slopes(states, target, found.weights, found.bias, 0.1)).max() < 1e-6


@pytest.mark.parametrize("l2", [0.0, -1.0, float("nan")])
def test_a_penalty_must_be_above_0(l2: float) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        logistic_solution(unit_rows(4, 2, seed=0), np.ones((4, 1)), l2=l2)


@pytest.mark.parametrize("worst", [-0.5, 1.5])
def test_labels_outside_0_to_1_are_refused(worst: float) -> None:
    with pytest.raises(DataError, match=f"a quality is {worst}"):
        logistic_solution(unit_rows(2, 2, seed=0), np.array([[0.5], [worst]]), l2=1.0)
