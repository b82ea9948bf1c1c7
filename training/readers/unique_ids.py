"""An id names one prompt within a file; two rows of one prompt are a duplicate, counted later.

Files may share ids: running numbers stand in many, and arms may each have a file of their own.
"""

from __future__ import annotations

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import Outcome


class UniqueIds:
    """The ids of one file's rows as they are read."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[int, Outcome]] = {}

    def add(self, line: int, row: Outcome) -> None:
        """Take a row in.

        Raises
        ------
        DataError
            If its id stands on an earlier line with another prompt: names field and that line.
        """
        before, held = self._first.setdefault(row.id, (line, row))
        if held.prompt != row.prompt and held.text != row.text:
            raise DataError(
                f"id: {row.id!r} stands on line {before} with another prompt; give each prompt an "
                "id of its own, or remove the wrong line"
            )
