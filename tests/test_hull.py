"""training/pool/hull.py: the non-decreasing convex hull and AIQ."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.pool.hull import hull_of

COST = [1.0, 2.0, 3.0, 4.0, 5.0]
QUALITY = [0.2, 0.3, 0.8, 0.7, 0.9]


def test_by_hand() -> None:
    """The second point lies below the line from first to third, the fourth is dearer and worse."""
    hull = hull_of(COST, QUALITY)
    assert hull.cost.tolist() == [1.0, 3.0, 5.0]
    assert hull.quality.tolist() == [0.2, 0.8, 0.9]
    assert hull.members.tolist() == [0, 2, 4]
    assert hull.at(2.0) == pytest.approx(0.5)
    assert hull.at(9.0) == pytest.approx(0.9)
    assert np.isnan(hull.at(0.5))
    assert hull.cost_of(0.5) == pytest.approx(2.0)
    assert hull.cost_of(0.1) == 1.0
    assert hull.cost_of(0.95) is None
    assert hull.aiq(1.0, 5.0) == pytest.approx((0.5 * 2 + 0.85 * 2) / 4)
    assert hull.aiq(1.0, 9.0) == pytest.approx((0.5 * 2 + 0.85 * 2 + 0.9 * 4) / 8)


def test_a_worse_and_dearer_point_never_counts() -> None:
    hull = hull_of([1.0, 2.0], [0.9, 0.1])
    assert hull.cost.tolist() == [1.0]
    assert hull.aiq(1.0, 2.0) == pytest.approx(0.9)


def test_no_range_of_costs_has_no_aiq() -> None:
    assert hull_of([0.0, 0.0], [0.1, 0.4]).aiq(0.0, 0.0) is None
    assert hull_of([1.0], [0.1]).aiq(0.5, 2.0) is None


def test_of_equal_costs_the_better_counts() -> None:
    assert hull_of([1.0, 1.0, 1.0], [0.1, 0.4, 0.3]).quality.tolist() == [0.4]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(-20, 20)), min_size=1, max_size=30))
def test_it_lies_above_all_points_and_bends_down(points: list[tuple[int, int]]) -> None:
    cost, quality = (np.array(column, dtype=float) for column in zip(*points, strict=True))
    hull = hull_of(cost, quality)
    assert (np.diff(hull.cost) > 0).all()
    assert (np.diff(hull.quality) > 0).all()
    slopes = np.diff(hull.quality) / np.diff(hull.cost)
    assert (np.diff(slopes) < 1e-9).all()
    for one, other in zip(cost, quality, strict=True):
        assert hull.at(one) >= other - 1e-9


def test_bad_points_are_refused() -> None:
    with pytest.raises(DataError, match="give points"):
        hull_of([], [])
    with pytest.raises(DataError, match="not finite"):
        hull_of([1.0], [np.nan])
