"""hybridroute/whole_number.py: digits are a number, everything else is none."""

from __future__ import annotations

import pytest

from hybridroute.whole_number import whole_number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_digits_are_a_number(text: str, number: int) -> None:
    assert whole_number(text) == number


@pytest.mark.parametrize("text", ["", "²", "١٢", "-1", "+1", " 1", "1.0", "1_0", "x", "9" * 19])
def test_anything_else_is_none(text: str) -> None:
    assert whole_number(text) is None
