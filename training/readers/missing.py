"""Cells without an outcome: the row lacks the arm, and how many there are is told."""

from __future__ import annotations

import logging
import math
from pathlib import Path

log = logging.getLogger(__name__)


def is_missing_cell(cell: str) -> bool:
    """Whether a CSV cell is empty or NaN, as pandas writes what it does not have."""
    return cell.strip().lower() in {"", "nan"}


def is_missing_number(held: object) -> bool:
    """Whether a JSON value is null or NaN."""
    return held is None or (isinstance(held, float) and math.isnan(held))


def tell_missing(path: Path, count: int) -> None:
    """Warn in the log of a file that lacks outcomes."""
    if count:
        log.warning(
            "%s lacks %d outcomes (empty, null or NaN); their rows lack the arm", path, count
        )
