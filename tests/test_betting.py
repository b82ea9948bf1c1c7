"""The test by betting: the capital as it is defined, and its errors on every possible sample."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import log, sqrt

import numpy as np
import pytest

from hybridroute.training.promise import betting

LAWS: list[dict[float, float]] = [
    {0.0: 0.6, 1.0: 0.4},
    {-1.0: 0.3, 1.0: 0.7},
    {-1.0: 0.2, 0.0: 0.2, 1.0: 0.6},
    {-1.0: 0.05, 0.0: 0.5, 1.0: 0.45},
    {-0.5: 0.1, 0.5: 0.9},
]
"""Values and their chances; every mean is 0.4."""
MEAN = 0.4


def capitals(row: Sequence[float], limit: float, delta: float) -> list[float]:
    """What is held after each row, by the words of the module alone."""
    n, capital, squares, held = len(row), 1.0, 0.25, []
    for at, difference in enumerate(row, start=1):
        stake = min(0.9, sqrt(2.0 * log(1.0 / delta) / (n * (squares / at))))
        # The very first stake has the pseudo-row alone to go by.
        capital *= 1.0 + stake * (limit - difference)
        squares += difference**2
        held.append(capital)
    return held


def every_sample(law: dict[float, float], n: int) -> tuple[np.ndarray, np.ndarray]:
    """All samples of n draws, shape (m, n), and the chance of each."""
    samples = np.array(list(product(law, repeat=n)))
    chances = np.array(list(product(law.values(), repeat=n))).prod(axis=1)
    assert chances.sum() == pytest.approx(1.0)
    return samples, chances


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("delta", [0.05, 0.1, 0.4])
def test_the_errors_over_all_samples_are_within_the_level(
    law: dict[float, float], delta: float
) -> None:
    """No draw of samples: every one is summed by its chance. A lower limit errs less."""
    samples, chances = every_sample(law, 7)
    wrong = chances[betting.rejects(samples, MEAN, delta)].sum()
    assert wrong <= delta + 1e-12
    assert chances[betting.rejects(samples, MEAN - 0.1, delta)].sum() <= wrong


def test_the_level_is_used_and_not_merely_kept() -> None:
    samples, chances = every_sample({0.0: 0.6, 1.0: 0.4}, 12)
    assert chances[betting.rejects(samples, MEAN, 0.1)].sum() > 0.01
    true = {0.0: 0.98, 1.0: 0.02}
    samples, chances = every_sample(true, 12)
    assert chances[betting.rejects(samples, MEAN, 0.1)].sum() > 0.8


def test_draws_that_look_back_are_no_way_round_it() -> None:
    """The capital is a supermartingale if each draw's mean is the limit, whatever came before."""
    n, delta = 9, 0.1
    samples = np.array(list(product((-1.0, 0.0, 1.0), repeat=n)))
    before = np.concatenate([np.zeros((len(samples), 1)), samples.cumsum(axis=1)[:, :-1]], axis=1)
    # After losses wide draws, else narrow ones: the mean is 0.4 either way.
    wide = before < 0
    up = np.where(wide, 0.7, 0.4)
    down = np.where(wide, 0.3, 0.0)
    chance = np.select([samples > 0, samples < 0], [up, down], 1.0 - up - down).prod(axis=1)
    assert chance.sum() == pytest.approx(1.0)
    wrong = chance[betting.rejects(samples, MEAN, delta)].sum()
    assert 0.0 < wrong <= delta


def test_the_capital_is_the_one_of_the_words() -> None:
    draw = np.random.default_rng(0)
    steps = draw.choice([-1.0, 0.0, 1.0], (60, 25), p=[0.4, 0.4, 0.2])
    rows = np.concatenate([draw.uniform(-1, 1, (60, 25)) - 0.2, steps])
    for limit, delta in ((0.0, 0.1), (0.05, 0.02), (0.2, 0.5)):
        found = betting.rejects(rows, limit, delta)
        wanted = [max(capitals(row, limit, delta)) >= 1.0 / delta for row in rows.tolist()]
        assert found.tolist() == wanted
        assert 0 < found.sum() < len(rows)


def test_what_was_won_stays_won() -> None:
    """The capital counts where it was highest: rows that follow take nothing back."""
    rows = np.full((1, 20), -0.5)
    assert capitals(rows[0].tolist(), 0.05, 0.1)[9] > 10.0
    rows[0, 10:] = 1.0
    assert betting.rejects(rows, 0.05, 0.1)[0]
    assert not betting.rejects(rows[:, ::-1], 0.05, 0.1)[0], "nothing was won before it was lost"


def test_a_looser_limit_is_rejected_wherever_a_tighter_one_is() -> None:
    rows = np.random.default_rng(1).uniform(-1, 1, (400, 30)) - 0.2
    said = np.array([betting.rejects(rows, limit, 0.1) for limit in np.linspace(0, 0.6, 25)])
    assert (np.diff(said.astype(int), axis=0) >= 0).all()
    assert 0 < said[0].sum() < said[-1].sum()


def test_a_lower_last_row_never_harms() -> None:
    """No stake looks at the last row."""
    rows = np.random.default_rng(2).uniform(-1, 1, (2000, 12)) - 0.1
    lower = rows.copy()
    lower[:, -1] = -1.0
    before, after = betting.rejects(rows, 0.05, 0.1), betting.rejects(lower, 0.05, 0.1)
    assert (before <= after).all()
    assert before.sum() < after.sum()


def test_a_row_of_the_most_it_can_be_ruins_nobody() -> None:
    rows = np.ones((1, 50))
    assert not betting.rejects(rows, 0.0, 0.1)[0]
    rows[0, 1:] = -1.0
    assert betting.rejects(rows, 0.0, 0.1)[0], "something was kept back"


@pytest.mark.parametrize("kind", ["rare", "even", "fractions"])
def test_betting_errs_at_most_at_its_level(kind: str) -> None:
    draw = np.random.default_rng(3)
    n, runs, delta, limit = 300, 4000, 0.1, 0.05
    if kind == "rare":
        rows = (draw.random((runs, n)) < limit).astype(float)
    elif kind == "even":
        rows = np.where(draw.random((runs, n)) < (1 + limit) / 2, 1.0, -1.0)
    else:
        rows = draw.binomial(10, 0.5, (runs, n)) / 10 - 0.5 + limit
    wrong = betting.rejects(rows, limit, delta).mean()
    assert wrong <= delta + 3 * (delta * (1 - delta) / runs) ** 0.5


def test_betting_has_power() -> None:
    rows = np.random.default_rng(4).normal(0.0, 0.2, (500, 1000)).clip(-1, 1)
    assert betting.rejects(rows, 3.0 * 0.2 / 1000**0.5, 0.1).mean() > 0.8
    assert betting.rejects(np.zeros((1, 400)), 0.01, 0.1).all()
    assert not betting.rejects(np.zeros((1, 200)), 0.01, 0.1).any()


def test_a_betting_upper_limit_is_where_the_test_begins_to_reject() -> None:
    draw = np.random.default_rng(6)
    rows = draw.binomial(10, 0.5, (20, 400)) / 10 - 0.45
    limits = betting.upper_limits(rows, 0.1)
    for row, limit in zip(rows, limits, strict=True):
        assert betting.rejects(row[None], limit + 1e-9, 0.1)[0]
        assert not betting.rejects(row[None], limit - 1e-3, 0.1)[0]
    assert (limits < 0.05).mean() <= 0.3
    assert betting.upper_limits(np.ones((1, 5)), 0.1, top=0.5).tolist() == [0.5]


@pytest.mark.parametrize("law", LAWS)
def test_upper_limits_over_all_samples_miss_within_the_level(law: dict[float, float]) -> None:
    samples, chances = every_sample(law, 7)
    limits = betting.upper_limits(samples, 0.1)
    assert chances[limits < MEAN - 1e-12].sum() <= 0.1 + 1e-12
    assert ((limits >= 0.0) & (limits <= 1.0)).all()
    assert (limits >= samples.mean(axis=1) - 1e-12).all()
    below_top = limits < 1.0
    assert below_top.any()
    for row, limit in zip(samples[below_top][::37], limits[below_top][::37], strict=True):
        assert betting.rejects(row[None], limit + 1e-9, 0.1)[0]


def test_no_upper_limit_is_above_the_top() -> None:
    rows = np.random.default_rng(7).uniform(-1, 0.3, (50, 6))
    limits = betting.upper_limits(rows, 0.1, top=0.3)
    assert limits.max() == 0.3
    assert limits.min() < 0.1
    assert limits == pytest.approx(np.minimum(betting.upper_limits(rows, 0.1), 0.3), abs=3e-3)
