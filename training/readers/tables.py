"""Reading CSV rows with their line numbers, and Python literals inside cells."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.magnitude import fault_of

_CELL_LIMIT = 64 * 1024 * 1024
_TRUTHS = {"true": 1.0, "false": 0.0}


def csv_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows of a UTF-8 CSV file with the line each one starts on.

    Raises
    ------
    DataError
        If the file cannot be read, or a row has too few or too many cells.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines, _wide_cells():
            reader = csv.reader(lines, strict=True)
            header = next(reader, [])
            twice = sorted({name for name in header if header.count(name) > 1})
            if twice:
                raise DataError(f"{path} line 1: the columns {twice} stand twice; keep one of each")
            start = reader.line_num + 1
            for cells in reader:
                if len(cells) != len(header):
                    raise DataError(
                        f"{path} line {start}: {len(cells)} cells where the header has "
                        f"{len(header)}; repair the row"
                    )
                yield start, dict(zip(header, cells, strict=True))
                start = reader.line_num + 1
    except OSError as exc:
        raise DataError(f"{path} cannot be read ({exc.strerror}); check the path") from exc
    except UnicodeDecodeError as exc:
        raise DataError(f"{path} is not UTF-8 ({exc.reason}); re-encode it") from exc
    except csv.Error as exc:
        raise DataError(f"{path} is not a readable CSV file ({exc}); repair it") from exc


@contextmanager
def _wide_cells() -> Iterator[None]:
    """Allow long answers in a cell, and leave the process's own limit as it was."""
    before = csv.field_size_limit(_CELL_LIMIT)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def quality_of_cell(cell: str) -> float:
    """true or false, or a number that can be computed with.

    Raises
    ------
    DataError
        Otherwise.
    """
    known = _TRUTHS.get(cell.strip().lower())
    if known is not None:
        return known
    try:
        value = float(cell)
    except ValueError as exc:
        raise DataError(f"is {cell[:40]!r}; give true, false or a number") from exc
    if fault := fault_of(value):
        raise DataError(fault)
    return value


def literal(text: str) -> Any:
    """The value of a Python literal; nothing is run.

    Raises
    ------
    DataError
        If ``text`` is no literal.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as exc:
        raise DataError(f"is not a Python literal ({type(exc).__name__}); repair it") from exc
