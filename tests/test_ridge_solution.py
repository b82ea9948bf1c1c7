"""Ridge with missing cells: each arm as if its rows were all there are, and little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from hybridroute.training.pool.ridge_solution import ridge_solution


def rows(n: int, arms: int, *, width: int = 12, missing: float = 0.3) -> tuple:
    draw = np.random.default_rng(0)
    design = draw.normal(size=(n, width)) + 3.0
    target = design @ draw.normal(size=(width, arms)) + draw.normal(size=(n, arms))
    target[draw.random(target.shape) < missing] = np.nan
    return design, target


@pytest.mark.parametrize("missing", [0.05, 0.7])
def test_every_arm_is_solved_on_its_own_rows(missing: float) -> None:
    design, target = rows(90, 4, missing=missing)
    found = ridge_solution(design, target, alphas=[2.0])
    for arm in range(4):
        there = ~np.isnan(target[:, arm])
        x, y = design[there], target[there, arm]
        off = x - x.mean(axis=0)
        by_hand = np.linalg.solve(off.T @ off + 2.0 * np.eye(12), off.T @ (y - y.mean()))
        np.testing.assert_allclose(found.weights[:, arm], by_hand, rtol=1e-8, atol=1e-10)
        assert found.bias[arm] == pytest.approx(y.mean() - x.mean(axis=0) @ by_hand)


def test_the_penalty_is_the_one_of_least_error_where_each_row_is_left_out() -> None:
    design, target = rows(40, 2, missing=0.2)
    errors = {}
    for alpha in (0.3, 30.0, 3000.0):
        off = 0.0
        for row, arm in zip(*np.nonzero(~np.isnan(target)), strict=True):
            kept = target[:, [arm]].copy()
            kept[row] = np.nan
            left = ridge_solution(design, kept, alphas=[alpha])
            off += float(left.predicted(design[[row]])[0, 0] - target[row, arm]) ** 2
        errors[alpha] = off
    assert ridge_solution(design, target, alphas=list(errors)).alpha == min(errors, key=errors.get)


def test_arms_that_all_lack_other_rows_take_little_memory() -> None:
    design, target = rows(3000, 120, width=64, missing=0.05)
    tracemalloc.start()
    ridge_solution(design, target)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * design.nbytes  # a copy for each arm would be 120 times as much
