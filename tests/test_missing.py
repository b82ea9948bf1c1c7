"""Cells without an outcome."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hybridroute.training.readers.missing import (
    is_missing_cell,
    is_missing_number,
    tell_missing,
)


@pytest.mark.parametrize("cell", ["", "  ", "nan", "NaN", " NAN "])
def test_an_empty_cell_or_pandas_own_word_is_missing(cell: str) -> None:
    assert is_missing_cell(cell)


@pytest.mark.parametrize("cell", ["0", "0.0", "false", "none", "null", "nano"])
def test_another_cell_is_there(cell: str) -> None:
    assert not is_missing_cell(cell)


def test_null_and_nan_are_missing_numbers_and_0_is_not() -> None:
    missing: list[Any] = [None, float("nan")]
    there: list[Any] = [0, 0.0, False, "", "nan", float("inf")]
    assert [is_missing_number(held) for held in (*missing, *there)] == [True] * 2 + [False] * 6


def test_the_file_and_the_count_are_told_once_and_none_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tell_missing(Path("a.csv"), 0)
    assert caplog.messages == []
    tell_missing(Path("a.csv"), 3)
    assert caplog.messages == [
        "a.csv lacks 3 outcomes (empty, null or NaN); their rows lack the arm"
    ]
