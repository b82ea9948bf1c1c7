"""The nearest rows and their weights: against sorting, and without steps."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.training.pool.soft_neighbours import NEAREST_WEIGHT, soft_neighbours

COSINE = np.random.default_rng(0).uniform(-1, 1, (20, 12))


@pytest.mark.parametrize("k", [1, 5, 11])
def test_the_k_nearest_weigh_by_how_much_nearer_they_are_than_the_next(k: int) -> None:
    nearest, weights = soft_neighbours(COSINE, k)
    assert nearest.shape == weights.shape == (20, k)
    for cosine, at, weight in zip(COSINE, nearest, weights, strict=True):
        order = np.argsort(-cosine)
        assert set(at) == set(order[:k])
        assert weight == pytest.approx(cosine[at] - cosine[order[k]] + NEAREST_WEIGHT)


def test_where_all_rows_are_neighbours_the_least_there_can_be_is_left_out() -> None:
    nearest, weights = soft_neighbours(COSINE, 12)
    assert (np.sort(nearest, axis=1) == np.arange(12)).all()
    cosine = np.take_along_axis(COSINE, nearest, axis=1)
    assert weights == pytest.approx(cosine + 1.0 + NEAREST_WEIGHT)


def test_equally_near_rows_have_a_mean() -> None:
    _, weights = soft_neighbours(np.full((2, 6), 0.5), 3)
    assert (weights == NEAREST_WEIGHT).all()


def test_a_neighbour_that_comes_or_goes_moves_nothing() -> None:
    """Two rows change places at the edge of the k nearest: the mean of any values stays."""
    values = np.random.default_rng(1).uniform(0, 1, 6)

    def mean(fourth: float) -> float:
        cosine = np.array([[0.9, 0.8, 0.5, fourth, 0.1, 0.0]])
        nearest, weights = soft_neighbours(cosine, 3)
        return float((values[nearest] * weights).sum() / weights.sum())

    assert mean(0.5 - 1e-9) == pytest.approx(mean(0.5 + 1e-9), abs=1e-4)
    assert abs(mean(0.7) - mean(0.3)) > 1e-3
