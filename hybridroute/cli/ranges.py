"""Ranges of options: a value outside is wrong usage, like a word that is no number.

Typer's own ``min`` and ``max`` take their ends in, and let NaN through.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import typer


def within(
    low: float, high: float = math.inf, *, low_in: bool = True, high_in: bool = True
) -> Callable[[Any], Any]:
    """A callback that lets numbers of a range through, and no value at all.

    Parameters
    ----------
    low_in, high_in : bool
        Whether the ends are in the range.
    """
    wanted = f"{'at least' if low_in else 'above'} {_written(low)}"
    if high < math.inf:
        wanted += f" and {'at most' if high_in else 'below'} {_written(high)}"

    def checked(given: Any) -> Any:
        for number in given if isinstance(given, (list, tuple)) else [given]:
            at_end = (low_in and number == low) or (high_in and number == high)
            if not (number is None or at_end or low < number < high):
                raise typer.BadParameter(f"{_written(number)} is given; it must be {wanted}.")
        return given

    return checked


def _written(number: float) -> str:
    """The number as a person types it: a whole one in full, not as 1e+08."""
    return str(number) if isinstance(number, int) else f"{number:.15g}"
