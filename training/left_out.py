"""The rows of a table that nothing is fitted or judged on, and why, in numbers and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import OutcomeTable

_KEYS = ("rows_without_the_pair", "duplicates", "conflicting_duplicates")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """How many rows were left out.

    Parameters
    ----------
    rows_without_the_pair : int
        They lack one of the two arms.
    duplicates : int
        Their prompt stood in an earlier row, which counts.
    conflicting_duplicates : int
        Duplicates whose qualities differ from those of the row that counts.

    Raises
    ------
    DataError
        If a number is negative, or more duplicates conflict than there are.
    """

    rows_without_the_pair: int = 0
    duplicates: int = 0
    conflicting_duplicates: int = 0

    def __post_init__(self) -> None:
        if self.rows_without_the_pair < 0 or not (
            0 <= self.conflicting_duplicates <= self.duplicates
        ):
            raise DataError(f"{self} is not a count of rows; give counts from 0 on")

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> LeftOut:
        """From a mapping that states the counts among others; those that are absent are 0."""
        return cls(**{key: int(facts.get(key, 0)) for key in _KEYS})

    def to_dict(self) -> dict[str, int]:
        """The counts by name."""
        return asdict(self)

    def in_words(self) -> str | None:
        """One line without a full stop; None if nothing was left out."""
        parts = []
        if self.rows_without_the_pair:
            parts.append(_rows(self.rows_without_the_pair, "without both arms"))
        if self.duplicates:
            of_them = f", {self.conflicting_duplicates} of them with other qualities"
            held = _rows(self.duplicates, "whose prompt an earlier row has")
            parts.append(held + (of_them if self.conflicting_duplicates else ""))
        return "; ".join(parts) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRows:
    """A pair's rows, one a prompt, and what was left out."""

    table: OutcomeTable
    left_out: LeftOut


def pair_rows(table: OutcomeTable, edge: str, cloud: str) -> PairRows:
    """Keep the rows that have both arms, then the first row of each prompt.

    Raises
    ------
    DataError
        If the two names are the same, or no row has both.
    """
    pair = table.with_pair(edge, cloud)
    unique = pair.table.deduplicated()
    left_out = LeftOut(
        rows_without_the_pair=pair.dropped,
        duplicates=unique.duplicates,
        conflicting_duplicates=unique.conflicts,
    )
    return PairRows(table=unique.table, left_out=left_out)


def _rows(count: int, what: str) -> str:
    return f"{count:,} {'row' if count == 1 else 'rows'} {what}"
