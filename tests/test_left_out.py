"""Rows that nothing is fitted or judged on, in numbers and in words."""

from __future__ import annotations

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.left_out import LeftOut, pair_rows
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable


def row(at: int, prompt: str, **quality: float) -> Outcome:
    arms = {name: ArmOutcome(quality=(value,)) for name, value in quality.items()}
    return Outcome(id=str(at), prompt=prompt, arms=arms)


TABLE = OutcomeTable(
    rows=(
        row(0, "one", edge=1.0, cloud=1.0),
        row(1, "two", edge=1.0),
        row(2, "one", edge=1.0, cloud=1.0),
        row(3, "one", edge=0.0, cloud=1.0),
        row(4, "three", edge=0.0, cloud=1.0, other=1.0),
        row(5, "four", other=1.0),
    ),
    source="made up",
)


def test_the_rows_with_both_arms_one_a_prompt_the_first() -> None:
    found = pair_rows(TABLE, "edge", "cloud")
    assert [one.id for one in found.table.rows] == ["0", "4"]
    assert found.left_out == LeftOut(
        rows_without_the_pair=2, duplicates=2, conflicting_duplicates=1
    )


def test_no_row_with_both_or_one_arm_twice_is_refused() -> None:
    for edge, cloud in (("edge", "edge"), ("edge", "nobody")):
        with pytest.raises(DataError):
            pair_rows(TABLE, edge, cloud)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((0, 0, 0), None),
        ((1, 0, 0), "1 row without both arms"),
        ((1234, 0, 0), "1,234 rows without both arms"),
        ((0, 1, 0), "1 row whose prompt an earlier row has"),
        ((0, 3, 2), "3 rows whose prompt an earlier row has, 2 of them with other qualities"),
        ((2, 1, 0), "2 rows without both arms; 1 row whose prompt an earlier row has"),
    ],
)
def test_in_words(counts: tuple[int, int, int], words: str | None) -> None:
    lacking, twice, conflicts = counts
    held = LeftOut(
        rows_without_the_pair=lacking, duplicates=twice, conflicting_duplicates=conflicts
    )
    assert held.in_words() == words
    assert LeftOut.of({**held.to_dict(), "other": 5}) == held


def test_absent_counts_are_0() -> None:
    assert LeftOut.of({}) == LeftOut()


@pytest.mark.parametrize("counts", [(-1, 0, 0), (0, -1, 0), (0, 0, 1), (0, 1, -1), (0, 1, 2)])
def test_what_is_no_count_is_refused(counts: tuple[int, int, int]) -> None:
    lacking, twice, conflicts = counts
    with pytest.raises(DataError, match="is not a count of rows"):
        LeftOut(rows_without_the_pair=lacking, duplicates=twice, conflicting_duplicates=conflicts)
