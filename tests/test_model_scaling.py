"""training/judging/model_scaling.py: the closed form against every subset."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.judging.model_scaling import scaling_up
from hybridroute.training.pool.metrics import partial_oracle


def test_it_equals_the_mean_over_all_subsets() -> None:
    quality = np.random.default_rng(0).random((20, 6))
    found = scaling_up(quality)
    assert found.sizes == (1, 2, 3, 4, 5, 6)
    for p in (0.0, 0.5, 1.0):
        for size, value in zip(found.sizes, found.partial(p), strict=True):
            whole = [
                partial_oracle(quality[:, at], p).mean() for at in combinations(range(6), size)
            ]
            assert value == pytest.approx(np.mean(whole))
    singles = [max(quality[:, arm].mean() for arm in at) for at in combinations(range(6), 3)]
    assert found.best_single[2] == pytest.approx(np.mean(singles))


def test_weighted_rows_count_as_often() -> None:
    quality = np.random.default_rng(1).random((3, 4))
    twice = scaling_up(quality, np.array([2.0, 1.0, 1.0]))
    assert twice.oracle == pytest.approx(scaling_up(quality[[0, 0, 1, 2]]).oracle)


def test_a_thousand_arms_in_closed_form() -> None:
    quality = (np.random.default_rng(2).random((40, 1000)) < 0.3).astype(float)
    found = scaling_up(quality)
    assert found.sizes[0] == 1
    assert found.sizes[-1] == 1000
    assert found.oracle[0] == pytest.approx(quality.mean())
    assert found.oracle[-1] == pytest.approx(quality.max(axis=1).mean())
    assert np.isfinite(found.oracle).all()
    assert (np.diff(found.oracle) > -1e-9).all()


def test_rows_without_every_arm_are_left_out() -> None:
    assert scaling_up(np.array([[1.0, np.nan], [0.0, 1.0]])).rows == 1
    with pytest.raises(DataError, match="no row has an outcome of every arm"):
        scaling_up(np.array([[1.0, np.nan], [np.nan, 1.0]]))
