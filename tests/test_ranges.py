"""Ranges of options: what is let through, and how a refused number is shown."""

from __future__ import annotations

import math

import pytest
import typer

from hybridroute.cli.ranges import within


@pytest.mark.parametrize(
    ("given", "shown"),
    [(99999999, "99999999"), (1e8, "100000000"), (1.5, "1.5"), (-0.25, "-0.25"), (math.nan, "nan")],
)
def test_a_refused_number_is_shown_as_typed(given: float, shown: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"^{shown} is given; it must be at least 0 and"):
        within(0, 1)(given)


def test_the_bounds_are_shown_in_full() -> None:
    with pytest.raises(typer.BadParameter, match=r"above 0 and below 10000000\.$"):
        within(0, 10_000_000, low_in=False, high_in=False)(0)


def test_what_is_in_the_range_is_given_back() -> None:
    assert within(0, 1)(1) == 1
    assert within(0, 1)(None) is None
    assert within(0, 1)([0.0, 0.5]) == [0.0, 0.5]
