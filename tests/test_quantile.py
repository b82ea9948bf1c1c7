"""One quantile for the server's counts and the controller."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.quantile import quantile


@pytest.mark.parametrize(
    ("values", "share", "is_"),
    [
        ([2, 1], 0.5, 1),
        ([3, 1, 2], 0.5, 2),
        (range(1, 21), 0.95, 19),
        (range(1, 22), 0.95, 20),
        (range(1, 101), 0.07, 7),  # 0.07 * 100 is just above 7
        ([7], 0.0, 7),
        ([7], 1.0, 7),
        ([1, 2, 3], 0.0, 1),
        ([1, 2, 3], 1.0, 3),
    ],
)
def test_known_quantiles(values: list[float], share: float, is_: float) -> None:
    assert quantile(values, share) == is_


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=60), st.integers(0, 100))
def test_it_is_the_smallest_value_that_covers_the_share(values: list[int], percent: int) -> None:
    found = quantile(values, percent / 100)
    assert 100 * sum(one <= found for one in values) >= percent * len(values)
    assert 100 * sum(one < found for one in values) < percent * len(values) or found == min(values)


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 1.5), ([1.0], float("nan"))])
def test_nothing_to_measure(values: list[float], share: float) -> None:
    with pytest.raises(ConfigError, match="give a share from 0 to 1 and at least one value"):
        quantile(values, share)
