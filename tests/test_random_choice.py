"""Estimates that mean nothing: even, repeatable, and the same on the device."""

from __future__ import annotations

import numpy as np
import pytest
from pool_cases import outcomes_of, queries_of, run_head

from hybridroute.training.pool.random_choice import RandomChoice

FIT = queries_of(20)
ASKED = queries_of(6000, seed=5)


def chosen(seed: int, arms: int = 3) -> np.ndarray:
    fitted = RandomChoice().fit(FIT, outcomes_of(FIT, arms), seed=seed)
    return fitted.estimate(ASKED).mean.argmax(axis=1)


def test_each_arm_is_the_largest_equally_often() -> None:
    shares = np.bincount(chosen(0), minlength=3) / len(ASKED)
    assert shares == pytest.approx(1 / 3, abs=5 * (2 / 9 / len(ASKED)) ** 0.5)


def test_the_same_text_has_the_same_estimates_and_another_seed_others() -> None:
    assert (chosen(0) == chosen(0)).all()
    assert (chosen(0) == chosen(1)).mean() == pytest.approx(1 / 3, abs=0.05)


def test_qualities_say_how_many_arms_there_are_and_nothing_else() -> None:
    one = RandomChoice().fit(FIT, outcomes_of(FIT, 4), seed=2)
    other = RandomChoice().fit(FIT, 1.0 - outcomes_of(FIT, 4), seed=2)
    assert one.kind == "ordinal"
    found = one.estimate(ASKED)
    assert (found.mean.shape, found.uncertainty) == ((len(ASKED), 4), None)
    assert (found.mean == other.estimate(ASKED).mean).all()


def test_the_graph_says_the_same() -> None:
    fitted = RandomChoice().fit(FIT, outcomes_of(FIT, 3), seed=0)
    few = ASKED.select(np.arange(200))
    assert run_head(fitted, few).mean == pytest.approx(fitted.estimate(few).mean, abs=1e-3)
