"""The grid of a bundle's tables: what is refused, and which entry a setting takes."""

from __future__ import annotations

from fractions import Fraction

import pytest

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.grid import GRID, check_grid, check_rising, grid_down, grid_up

EVEN = tuple(at / GRID for at in range(GRID + 1))


def test_a_table_of_the_right_length_passes() -> None:
    check_grid("t", EVEN)
    check_grid("t", (-1e300,) * (GRID + 1))


@pytest.mark.parametrize("length", [0, 1, GRID, GRID + 2])
def test_a_table_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(BundleError, match=f"dial.quality has {length} entries; it must have 1001"):
        check_grid("dial.quality", (0.5,) * length)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("at", [0, 500, GRID])
def test_a_table_with_what_is_not_finite_is_refused(bad: float, at: int) -> None:
    with pytest.raises(BundleError, match="t holds a value that is not finite"):
        check_grid("t", (*EVEN[:at], bad, *EVEN[at + 1 :]))


def test_a_table_may_stand_still_but_not_fall() -> None:
    check_rising("t", EVEN)
    check_rising("t", (0.3,) * 5)
    check_rising("t", ())
    for at in (1, 500, GRID):
        with pytest.raises(BundleError, match="t must not decrease"):
            check_rising("t", (*EVEN[:at], EVEN[at - 1] - 1e-9, *EVEN[at + 1 :]))


def test_every_entrys_own_setting_is_its_place_both_ways() -> None:
    """Also where 1 - k / 1000 times 1000 is a little more or less than 1000 - k."""
    assert any((1.0 - setting) * GRID != GRID - at for at, setting in enumerate(EVEN))
    assert [grid_up(setting) for setting in EVEN] == list(range(GRID + 1))
    assert [grid_down(setting) for setting in EVEN] == list(range(GRID + 1))
    assert [grid_up(1.0 - setting) for setting in EVEN] == list(range(GRID, -1, -1))
    assert [grid_down(1.0 - setting) for setting in EVEN] == list(range(GRID, -1, -1))


def test_a_setting_between_two_entries_takes_the_one_above_or_below() -> None:
    for at in range(GRID):
        for part in (Fraction(1, 1000), Fraction(1, 2), Fraction(999, 1000)):
            setting = float((at + part) / GRID)
            assert (grid_down(setting), grid_up(setting)) == (at, at + 1)
