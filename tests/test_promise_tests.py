"""The tests behind a promise: exact quantiles against enumeration, and errors at their level."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from hybridroute.training.promise import betting
from hybridroute.training.promise.lattice_sums import lower_quantile, lower_tail
from hybridroute.training.promise.three_valued import (
    critical_values,
    lower_share,
    upper_limits,
)


def enumerated(n: int, plus: float, minus: float) -> np.ndarray:
    """Pr[S <= s] for s = -n..n, by all counts."""
    mass = np.zeros(2 * n + 1)
    for up in range(n + 1):
        for down in range(n - up + 1):
            ways = comb(n, up) * comb(n - up, down)
            chance = plus**up * minus**down * (1.0 - plus - minus) ** (n - up - down)
            mass[up - down + n] += ways * chance
    return mass.cumsum()


@pytest.mark.parametrize(("plus", "minus"), [(0.3, 0.1), (0.05, 0.0), (0.5, 0.5), (0.02, 0.9)])
@pytest.mark.parametrize("level", [0.003, 0.1, 0.6])
def test_a_sums_quantile_is_that_of_all_cases(plus: float, minus: float, level: float) -> None:
    below = enumerated(17, plus, minus)
    wanted = int((below <= level).sum()) - 1 - 17
    found = lower_quantile(17, np.array([plus]), np.array([minus]), level)[0]
    assert max(found, -18) == max(wanted, -18)


def test_a_share_s_lower_limit_is_clopper_and_pearsons() -> None:
    # 7 of 10 at 95 %: the published one-sided limit.
    assert lower_share(7, 10, 0.05) == pytest.approx(0.3934, abs=1e-4)
    assert lower_share(10, 10, 0.05) == pytest.approx(0.05**0.1, abs=1e-6)
    assert lower_share(0, 10, 0.05) == 0.0


@pytest.mark.parametrize("n", [80, 500])
@pytest.mark.parametrize("share", [0.05, 0.06, 0.1, 0.3, 1.0])
def test_the_exact_test_errs_at_most_at_its_level(n: int, share: float) -> None:
    """All of the distribution is summed, so this is no sample: the error is exact."""
    limit, delta = 0.05, 0.1
    held = critical_values(n, limit, delta, most=n)
    plus, minus = (share + limit) / 2.0, (share - limit) / 2.0
    counts = np.random.default_rng(0).multinomial(n, [plus, minus, max(0, 1 - share)], 200_000)
    wrong = held.rejects(counts[:, 0] + counts[:, 1], counts[:, 0] - counts[:, 1]).mean()
    assert wrong <= delta + 4 * (delta * (1 - delta) / 200_000) ** 0.5


def test_the_exact_test_has_the_power_of_the_normal_one_nearly() -> None:
    n, limit, share, off = 2000, 0.05, 0.2, 2.0
    mean = limit - off * (share / n) ** 0.5
    plus, minus = (share + mean) / 2.0, (share - mean) / 2.0
    counts = np.random.default_rng(1).multinomial(n, [plus, minus, 1 - share], 20_000)
    held = critical_values(n, limit, 0.1, most=n)
    found = held.rejects(counts[:, 0] + counts[:, 1], counts[:, 0] - counts[:, 1]).mean()
    assert 0.65 < found < 0.77  # the normal approximation's is .764


def test_without_a_single_loss_the_count_decides() -> None:
    none = np.zeros(1, dtype=np.int64)
    for n, enough in ((220, False), (400, True)):
        held = critical_values(n, 0.01, 0.1, most=0)
        assert bool(held.rejects(none, none)[0]) is enough


def test_more_rows_that_differ_or_a_larger_loss_never_help() -> None:
    held = critical_values(400, 0.03, 0.1, most=400)
    differing, total = np.meshgrid(np.arange(0, 200, 7), np.arange(-40, 40, 3), indexing="ij")
    said = held.rejects(differing, total).astype(int)
    assert (np.diff(said, axis=0) <= 0).all()
    assert (np.diff(said, axis=1) <= 0).all()


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


@pytest.mark.parametrize(("plus", "minus"), [(0.3, 0.1), (0.9, 0.1), (0.02, 0.9), (1.0, 0.0)])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_a_single_tail_is_that_of_all_cases(n: int, plus: float, minus: float) -> None:
    at = np.arange(-n - 1, n + 2)
    found = lower_tail(n, np.full(len(at), plus), np.full(len(at), minus), at)
    off = found - np.concatenate([[0.0], enumerated(n, plus, minus), [1.0]])
    assert off.min() > -1e-13
    assert off.max() < 3e-11


@pytest.mark.parametrize("mean", [0.001, 0.05])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_an_exact_upper_limit_misses_at_most_at_its_level(share: float, mean: float) -> None:
    n, delta, runs = 300, 0.1, 4000
    plus, minus = (share + mean) / 2.0, (share - mean) / 2.0
    counts = np.random.default_rng(5).multinomial(n, [plus, minus, max(0, 1 - share)], runs)
    pairs, at = np.unique(counts[:, :2], axis=0, return_inverse=True)
    up, down = pairs[:, 0], pairs[:, 1]
    limits = upper_limits(n, up + down, up - down, delta)[at.ravel()]
    assert (limits < mean).mean() <= delta + 3 * (delta * (1 - delta) / runs) ** 0.5
    normal = mean + 1.2816 * ((share - mean**2) / n) ** 0.5
    assert limits.mean() < normal + 0.35 * (share / n) ** 0.5 + 3.0 / n


@pytest.mark.parametrize("differing", [0, 3, 90, 180])
def test_an_upper_limit_is_where_the_test_begins_to_reject(differing: int) -> None:
    n, total = 300, differing // 9
    count, net = np.array([differing]), np.array([total])
    limit = float(upper_limits(n, count, net, 0.1)[0])
    for off, rejected in ((1.15, True), (0.85, False)):
        held = critical_values(n, limit * off, 0.1, most=n)
        assert bool(held.rejects(count, net)[0]) is rejected


def test_a_betting_upper_limit_is_where_the_test_begins_to_reject() -> None:
    draw = np.random.default_rng(6)
    rows = draw.binomial(10, 0.5, (20, 400)) / 10 - 0.45
    limits = betting.upper_limits(rows, 0.1)
    for row, limit in zip(rows, limits, strict=True):
        assert betting.rejects(row[None], limit + 1e-9, 0.1)[0]
        assert not betting.rejects(row[None], limit - 1e-3, 0.1)[0]
    assert (limits < 0.05).mean() <= 0.3
    assert betting.upper_limits(np.ones((1, 5)), 0.1, top=0.5).tolist() == [0.5]
