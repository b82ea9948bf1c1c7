"""A share of the cloud's quality is stated where that quality is clearly off 0."""

from __future__ import annotations

import math

import pytest

from hybridroute.relative_drop import LEVEL_SE, is_off_zero, relative_drop


def test_it_is_the_share_of_the_size_of_the_mean() -> None:
    assert relative_drop(0.1, 0.5, 0.01) == pytest.approx(0.2)
    assert relative_drop(0.1, -0.5, 0.01) == pytest.approx(0.2)
    assert relative_drop(-0.1, 0.5, 0.01) == pytest.approx(-0.2)


@pytest.mark.parametrize(
    ("mean", "se", "held"),
    [
        (0.5, 0.1, True),  # 5 SE exactly
        (-0.5, 0.1, True),
        (0.499, 0.1, False),
        (0.5, math.inf, False),  # one row
        (0.5, 0.0, True),  # every answer is worth the same
        (0.0, 0.0, False),
    ],
)
def test_a_mean_of_under_five_standard_errors_has_no_shares(
    mean: float, se: float, held: bool
) -> None:
    assert LEVEL_SE == 5.0
    assert is_off_zero(mean, se) is held
    assert (relative_drop(0.0, mean, se) is not None) is held
