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
    wanted = f"{'at least' if low_in else 'above'} {low:g}"
    if high < math.inf:
        wanted += f" and {'at most' if high_in else 'below'} {high:g}"

    def checked(given: Any) -> Any:
        for number in given if isinstance(given, (list, tuple)) else [given]:
            at_end = (low_in and number == low) or (high_in and number == high)
            if not (number is None or at_end or low < number < high):
                raise typer.BadParameter(f"{number:g} is given; it must be {wanted}.")
        return given

    return checked
