"""Tails and quantiles of sums of steps, and of counts, against all cases."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest

from hybridroute.training.promise.lattice_sums import lower_quantile, lower_tail

STEPS = (-1, 0, 1)
GRID = [(plus / 8.0, minus / 8.0) for plus in range(9) for minus in range(9) if plus + minus <= 8]
PLUS, MINUS = np.array(GRID).T


def enumerated(n: int, plus: float, minus: float) -> np.ndarray:
    """Pr[S <= s] for s = -n..n, by all counts."""
    mass = np.zeros(2 * n + 1)
    for up in range(n + 1):
        for down in range(n - up + 1):
            ways = comb(n, up) * comb(n - up, down)
            chance = plus**up * minus**down * (1.0 - plus - minus) ** (n - up - down)
            mass[up - down + n] += ways * chance
    return mass.cumsum()


def test_the_enumeration_is_that_of_every_path() -> None:
    chance = {1: 0.3, -1: 0.1, 0: 0.6}
    mass = np.zeros(9)
    for path in product(STEPS, repeat=4):
        mass[sum(path) + 4] += np.prod([chance[step] for step in path])
    assert enumerated(4, 0.3, 0.1) == pytest.approx(mass.cumsum())


@pytest.mark.parametrize(("plus", "minus"), [(0.3, 0.1), (0.05, 0.0), (0.5, 0.5), (0.02, 0.9)])
@pytest.mark.parametrize("level", [0.003, 0.1, 0.6])
def test_a_sums_quantile_is_that_of_all_cases(plus: float, minus: float, level: float) -> None:
    below = enumerated(17, plus, minus)
    wanted = int((below <= level).sum()) - 1 - 17
    found = lower_quantile(17, np.array([plus]), np.array([minus]), level)[0]
    assert max(found, -18) == max(wanted, -18)


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("level", [0.0123, 0.31, 0.987])
def test_quantiles_of_few_steps_are_those_of_all_cases(n: int, level: float) -> None:
    """A sum that cannot be is below every level, so the largest s is named up to that."""
    found = lower_quantile(n, PLUS, MINUS, level)
    for (plus, minus), at in zip(GRID, found, strict=True):
        below = np.concatenate([[0.0], enumerated(n, plus, minus), [1.0]])  # s = -n - 1..n + 1
        place = min(max(int(at), -n - 1), n) + n + 1
        assert below[place] <= level + 1e-10
        assert below[place + 1] > level - 1e-10


def test_below_the_least_sum_nothing_is_likely_enough() -> None:
    """Of two rows that surely are -1 the sum -2 has chance 1."""
    assert lower_quantile(2, np.zeros(1), np.ones(1), 0.4).tolist() == [-3]


def test_a_count_is_a_sum_without_losses() -> None:
    n, share, level = 9, 0.35, 0.2
    below = np.cumsum([comb(n, k) * share**k * (1 - share) ** (n - k) for k in range(n + 1)])
    wanted = int((below <= level).sum()) - 1
    assert lower_quantile(n, np.array([share]), np.zeros(1), level)[0] == wanted


def test_a_higher_level_or_chance_of_gain_never_lowers_a_quantile() -> None:
    n, minus = 30, 0.2
    plus = np.linspace(0.0, 0.8, 41)
    held = np.array(
        [lower_quantile(n, plus, np.full(41, minus), level) for level in (0.01, 0.05, 0.3, 0.7)]
    )
    assert (np.diff(held, axis=0) >= 0).all()
    assert (np.diff(held, axis=1) >= 0).all()
    assert held.min() < held.max()


def test_many_rows_in_parts_are_each_what_they_are_alone() -> None:
    """A row's part of the work has a window of its own: its neighbours do not matter."""
    n, level = 40_000, 0.05
    draw = np.random.default_rng(0)
    plus = draw.uniform(0.0, 0.5, 700)
    minus = draw.uniform(0.0, 0.5, 700)
    at = np.floor(n * (plus - minus) - 1.5 * np.sqrt(n * (plus + minus))).astype(np.int64)
    quantiles, tails = lower_quantile(n, plus, minus, level), lower_tail(n, plus, minus, at)
    for row in (0, 351, 699):
        part = slice(row, row + 1)
        assert lower_quantile(n, plus[part], minus[part], level)[0] == quantiles[row]
        assert lower_tail(n, plus[part], minus[part], at[part])[0] == pytest.approx(
            tails[row], abs=2e-11
        )


def test_no_rows_have_no_quantiles_or_tails() -> None:
    none = np.zeros(0)
    assert lower_quantile(5, none, none, 0.1).tolist() == []
    assert lower_tail(5, none, none, np.zeros(0, dtype=np.int64)).tolist() == []


@pytest.mark.parametrize(("plus", "minus"), [(0.3, 0.1), (0.9, 0.1), (0.02, 0.9), (1.0, 0.0)])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_a_single_tail_is_that_of_all_cases(n: int, plus: float, minus: float) -> None:
    at = np.arange(-n - 1, n + 2)
    found = lower_tail(n, np.full(len(at), plus), np.full(len(at), minus), at)
    off = found - np.concatenate([[0.0], enumerated(n, plus, minus), [1.0]])
    assert off.min() > -1e-13
    assert off.max() < 3e-11


@pytest.mark.parametrize("n", [1, 3, 6])
def test_tails_on_a_grid_of_chances_are_never_too_small(n: int) -> None:
    at = np.arange(-n - 2, n + 3)
    cases = [(plus, minus, s) for plus, minus in GRID for s in at]
    plus, minus, sums = (np.array(column) for column in zip(*cases, strict=True))
    found = lower_tail(n, plus, minus, sums)
    wanted = np.concatenate(
        [np.concatenate([[0.0, 0.0], enumerated(n, *chances), [1.0, 1.0]]) for chances in GRID]
    )
    assert (found >= np.minimum(wanted, 1.0) - 1e-13).all()
    assert (found - wanted).max() < 3e-11
    assert ((found >= 0.0) & (found <= 1.0)).all()


def test_a_quantile_is_where_the_tail_passes_the_level() -> None:
    """The two inversions agree, where there are too many cases to count."""
    n, level = 3000, 0.05
    draw = np.random.default_rng(1)
    plus, minus = draw.uniform(0.01, 0.5, 60), draw.uniform(0.01, 0.5, 60)
    at = lower_quantile(n, plus, minus, level)
    assert (lower_tail(n, plus, minus, at) <= level + 1e-10).all()
    assert (lower_tail(n, plus, minus, at + 1) > level - 1e-10).all()
