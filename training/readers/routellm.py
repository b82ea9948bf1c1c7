"""RouteLLM's CSV: ``prompt`` and one column an arm, true or false; one file a subject.

An empty cell is a missing outcome: the row lacks the arm.
"""

from __future__ import annotations

from pathlib import Path

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.readers.missing import is_missing_cell, tell_missing
from hybridroute.training.readers.tables import csv_rows, quality_of_cell


def read_routellm(path: Path) -> OutcomeTable:
    """Read one subject; the domain is the file's name without its ending.

    Raises
    ------
    DataError
        Names file, line and column.
    """
    rows, missing = [], 0
    for line, cells in csv_rows(path):
        rows.append(_outcome(path, line, cells))
        missing += len(cells.keys() - {"prompt", ""}) - len(rows[-1].arms)
    if not rows:
        raise DataError(f"{path} holds no rows; give at least one")
    tell_missing(path, missing)
    return OutcomeTable(rows=tuple(rows), source=path.name)


def _outcome(path: Path, line: int, cells: dict[str, str]) -> Outcome:
    where = f"{path} line {line}"
    arms = {}
    for name, cell in cells.items():
        if name in ("prompt", ""):  # an unnamed first column is a row number
            continue
        if is_missing_cell(cell):
            continue
        try:
            arms[name] = ArmOutcome(quality=(quality_of_cell(cell),))
        except DataError as exc:
            raise DataError(f"{where}: column {name!r} {exc}") from exc
    try:
        return Outcome(
            id=f"{path.stem}:{line}", prompt=cells["prompt"], domain=path.stem, arms=arms
        )
    except DataError as exc:
        raise DataError(f"{where}: {exc}") from exc
