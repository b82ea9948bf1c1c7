"""training/pool/metrics.py: by hand, by sampling, at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.pool.metrics import (
    choice_entropy,
    effective_p,
    oracle_cost,
    oracle_quality,
    partial_oracle,
    random_quality,
    relative_quality,
)

QUALITY = np.array([[1.0, 0.0, 0.5], [0.0, 0.0, np.nan], [1.0, 1.0, 0.0]])
COST = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])


def test_the_ends_by_hand_with_a_missing_cell() -> None:
    assert random_quality(QUALITY).tolist() == pytest.approx([0.5, 0.0, 2 / 3])
    assert oracle_quality(QUALITY).tolist() == [1.0, 0.0, 1.0]


def test_the_oracle_takes_the_cheapest_of_the_best() -> None:
    assert oracle_cost(QUALITY, COST).tolist() == [3.0, 2.0, 2.0]


def test_the_partial_oracle_agrees_with_sampling() -> None:
    draw = np.random.default_rng(1)
    quality = draw.random((50, 4))
    knows = draw.random((4000, 50)) < 0.3
    guessed = quality[np.arange(50), draw.integers(0, 4, (4000, 50))]
    sampled = np.where(knows, quality.max(axis=1), guessed).mean()
    assert partial_oracle(quality, 0.3).mean() == pytest.approx(sampled, abs=0.003)
    np.testing.assert_allclose(partial_oracle(quality, 0.0), random_quality(quality))
    np.testing.assert_allclose(partial_oracle(quality, 1.0), oracle_quality(quality))
    with pytest.raises(ConfigError, match=r"p is 1\.5"):
        partial_oracle(quality, 1.5)


@pytest.mark.parametrize("p", [0.0, 0.36, 1.0])
def test_effective_p_is_the_inverse_of_the_partial_oracle(p: float) -> None:
    quality = np.random.default_rng(2).normal(-3.0, 2.0, (80, 5))
    ends = random_quality(quality).mean(), oracle_quality(quality).mean()
    assert effective_p(partial_oracle(quality, p).mean(), *ends) == pytest.approx(p)


def test_equal_outcomes_have_no_effective_p() -> None:
    quality = np.full((9, 3), 0.7)
    ends = random_quality(quality).mean(), oracle_quality(quality).mean()
    assert effective_p(0.7, *ends) is None


def test_one_arm_always_best_is_what_the_oracle_takes() -> None:
    quality = np.column_stack([np.full(7, 0.9), np.linspace(0.0, 0.8, 7)])
    best = quality[:, 0].mean()
    assert relative_quality(oracle_quality(quality).mean(), best) == 1.0
    assert effective_p(best, random_quality(quality).mean(), best) == 1.0


def test_a_ratio_to_what_is_not_above_zero_is_none() -> None:
    assert relative_quality(-2.0, -1.0) is None
    assert relative_quality(0.3, 0.0) is None


def test_entropy_in_bits() -> None:
    assert choice_entropy(np.array([1.0, 0.0])) == 0.0
    assert choice_entropy(np.full(8, 0.125)) == 3.0
    assert choice_entropy(np.array([0.5, 0.25, 0.25])) == 1.5
