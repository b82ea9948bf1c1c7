"""training/judging/tie_breaking.py: the largest value, ties at random, missing arms left out."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.judging.tie_breaking import at_choices, choices


def test_the_largest_present_value_is_chosen() -> None:
    values = np.array([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0]])
    present = np.array([[True, True, True], [True, False, True]])
    assert choices(values, present, seed=0).tolist() == [1, 2]


def test_ties_go_to_each_arm_as_often_and_by_the_seed() -> None:
    values = np.zeros((30_000, 3))
    values[:, 2] = -1.0
    present = np.ones(values.shape, dtype=np.bool_)
    found = choices(values, present, seed=5)
    shares = np.bincount(found, minlength=3) / len(found)
    assert shares[2] == 0.0
    assert shares[:2] == pytest.approx([0.5, 0.5], abs=0.02)
    np.testing.assert_array_equal(found, choices(values, present, seed=5))
    assert (found != choices(values, present, seed=6)).any()


def test_equal_values_are_truly_random_in_expectation() -> None:
    draw = np.random.default_rng(0)
    quality = (draw.random((400, 4)) < [0.1, 0.4, 0.6, 0.9]).astype(float)
    present = np.ones(quality.shape, dtype=np.bool_)
    means = [
        at_choices(quality, choices(np.zeros(quality.shape), present, seed=seed)).mean()
        for seed in range(300)
    ]
    spread = np.std(means) / np.sqrt(len(means))
    assert abs(np.mean(means) - quality.mean()) < 4.0 * spread


def test_what_cannot_be_chosen_among_is_refused() -> None:
    present = np.ones((1, 2), dtype=np.bool_)
    with pytest.raises(DataError, match="an estimate is NaN"):
        choices(np.array([[np.nan, 1.0]]), present, seed=0)
    with pytest.raises(DataError, match="no outcome of any arm"):
        choices(np.zeros((1, 2)), ~present, seed=0)
    with pytest.raises(DataError, match="have shape"):
        choices(np.zeros((2, 2)), present, seed=0)
