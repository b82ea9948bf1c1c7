"""The search for t*, against trying every candidate by its definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridroute.training.transform import COARSE, best_shift, gini_difference

values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@settings(deadline=None)
@given(values)
def test_the_sorted_form_is_the_mean_pairwise_difference(held):
    array = np.array(held)
    pairwise = np.abs(array[:, None] - array[None, :]).mean()
    assert gini_difference(array) == pytest.approx(pairwise, abs=1e-12)


def tried_one_by_one(rows, gaps, n):
    best_t, best = 0.0, -1.0
    for t in np.unique(np.append(-gaps[gaps < 0], 0.0)):
        labels = np.array([(gaps[rows == row] >= -t).mean() for row in range(n)])
        spread = np.abs(labels[:, None] - labels[None, :]).mean()
        if spread > best + 1e-12:
            best_t, best = t, spread
    return best_t, best


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(-6, 4), min_size=1, max_size=5), min_size=1, max_size=6))
def test_few_candidates_are_searched_exactly(held):
    rows = np.repeat(np.arange(len(held)), [len(row) for row in held])
    gaps = np.concatenate(held).astype(float)
    pairs = np.array([len(row) for row in held])
    found = best_shift(rows, gaps, pairs)
    t, spread = tried_one_by_one(rows, gaps, len(held))
    assert found.t == t
    assert dict(found.curve)[found.t] == pytest.approx(spread)


def test_many_candidates_come_within_the_grid_of_the_best():
    draw = np.random.default_rng(3)
    n, each = 40, 60
    rows = np.repeat(np.arange(n), each)
    gaps = draw.normal(size=n * each) + np.repeat(draw.normal(size=n), each) - 1.0
    assert (gaps < 0).sum() > 4 * COARSE
    found = best_shift(rows, gaps, np.full(n, each))
    _, spread = tried_one_by_one(rows, gaps, n)
    assert dict(found.curve)[found.t] == pytest.approx(spread, rel=2e-3)
    assert len(found.curve) <= 2 * COARSE


def test_counting_gives_what_sorting_gives():
    """Far more rows than values, and rows with different numbers of pairs."""
    draw = np.random.default_rng(5)
    pairs = draw.choice([1, 4, 6], size=300)
    rows = np.repeat(np.arange(300), pairs)
    gaps = draw.integers(-9, 5, size=len(rows)).astype(float)
    for t, spread in best_shift(rows, gaps, pairs).curve:
        labels = np.bincount(rows[gaps >= -t], minlength=300) / pairs
        assert spread == pytest.approx(gini_difference(labels), abs=1e-12)
