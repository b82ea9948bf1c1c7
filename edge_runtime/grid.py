"""The grid on which a bundle's tables stand: settings 0, 1/GRID, ..., 1."""

from __future__ import annotations

import math
from itertools import pairwise

from hybridroute.edge_runtime.errors import BundleError

GRID = 1000
"""Dial and quantile tables have GRID + 1 entries."""


def check_grid(name: str, values: tuple[float, ...]) -> None:
    """Refuse a table of another length, or one that holds what is not finite.

    Raises
    ------
    BundleError
        Names the table.
    """
    if len(values) != GRID + 1:
        raise BundleError(f"{name} has {len(values)} entries; it must have {GRID + 1}")
    if not all(math.isfinite(value) for value in values):
        raise BundleError(f"{name} holds a value that is not finite; make the bundle again")


def check_rising(name: str, values: tuple[float, ...]) -> None:
    """Refuse a table that falls somewhere.

    Raises
    ------
    BundleError
        Names the table.
    """
    if any(later < earlier for earlier, later in pairwise(values)):
        raise BundleError(f"{name} must not decrease; make the bundle again")


def grid_up(setting: float) -> int:
    """The place of the first entry at or above a setting in [0, 1]."""
    # Rounded first: 1 - 0.71 is 0.29000000000000004, which would round up to 291.
    return math.ceil(round(setting * GRID, 6))


def grid_down(setting: float) -> int:
    """The place of the last entry at or below a setting in [0, 1]."""
    return math.floor(round(setting * GRID, 6))
