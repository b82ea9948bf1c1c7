"""Rows of text as an aligned table on standard output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One measurement: a title, a table, and what it comes to.

    Parameters
    ----------
    title : str
    header : tuple of str
    rows : tuple of tuple of str
    target : str
        What was wanted.
    reached : bool
        Whether this run reached it.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    target: str
    reached: bool

    def show(self) -> None:
        """Print it."""
        print(f"\n{self.title}")
        for line in _aligned([self.header, *self.rows]):
            print(f"  {line}")
        print(f"  target: {self.target}: {'reached' if self.reached else 'MISSED'}")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        first, *rest = (
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  ".join([first, *rest]).rstrip())
    return lines
