"""The exact test of differences of -1, 0 and +1: its errors summed over every possible count."""

from __future__ import annotations

from functools import cache
from math import comb

import numpy as np
import pytest

from hybridroute.training.promise.three_valued import (
    critical_values,
    lower_share,
    step_for,
    upper_limits,
    upper_shares,
)

DELTA = 0.1
SPENT = 0.05 * DELTA
"""The part of the level that the share of differing rows costs, as the module states it."""


@cache
def counts_of(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every pair of gains and losses among n rows, and in how many orders it comes."""
    pairs = [(up, down) for up in range(n + 1) for down in range(n + 1 - up)]
    ways = [comb(n, up) * comb(n - up, down) for up, down in pairs]
    up, down = np.array(pairs).T
    return up, down, np.array(ways, dtype=float)


def chances(n: int, plus: float, minus: float) -> np.ndarray:
    """The chance of each of those pairs."""
    up, down, ways = counts_of(n)
    rest = max(1.0 - plus - minus, 0.0)
    return ways * plus**up * minus**down * rest ** (n - up - down)


def tail(n: int, plus: float, minus: float, total: int) -> float:
    """Pr[S <= total], by all counts."""
    up, down, _ = counts_of(n)
    return float(chances(n, plus, minus)[up - down <= total].sum())


def share_above(k: int, n: int, level: float) -> float:
    """Clopper and Pearson's upper limit: where k or fewer have exactly that chance."""
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2.0
        at_most = sum(comb(n, i) * middle**i * (1.0 - middle) ** (n - i) for i in range(k + 1))
        low, high = (middle, high) if at_most > level else (low, middle)
    return high


@pytest.mark.parametrize(("n", "limit"), [(1, 0.97), (4, 0.6), (9, 0.3), (40, 0.08)])
@pytest.mark.parametrize("coarser", [1.0, 4.0])
def test_the_errors_over_all_counts_are_within_the_level(
    n: int, limit: float, coarser: float
) -> None:
    """Of every share of differing rows, with the mean at the limit and above it."""
    held = critical_values(n, limit, DELTA, most=n, coarser=coarser)
    up, down, _ = counts_of(n)
    rejected = held.rejects(up + down, up - down)
    assert rejected.any()
    assert not rejected.all()
    for mean in (limit, (1.0 + limit) / 2.0):
        for share in np.linspace(mean, 1.0, 25):
            wrong = chances(n, (share + mean) / 2.0, (share - mean) / 2.0)[rejected].sum()
            assert wrong <= DELTA + 1e-9


def test_it_rejects_what_berger_and_boos_do_and_hardly_less() -> None:
    """The test as it is defined: every share up to the confidence limit, every tail in full."""
    n, limit = 40, 0.15
    up, down, _ = counts_of(n)
    differing, total = up + down, up - down
    found = critical_values(n, limit, DELTA, most=n).rejects(differing, total)
    shares = np.linspace(limit, 1.0, 120)
    tops = [share_above(k, n, SPENT) for k in range(n + 1)]
    # The largest sum that each share rejects.
    sums = np.arange(-n, n + 1)
    least = []
    for share in shares:
        law = chances(n, (share + limit) / 2.0, (share - limit) / 2.0)
        below = np.bincount(total + n, weights=law, minlength=2 * n + 1).cumsum()
        least.append(int(sums[below <= DELTA - SPENT].max(initial=-n - 1)))
    worst = np.minimum.accumulate(least)
    until = [max(int(np.searchsorted(shares, top, side="right")) - 1, 0) for top in tops]
    exact = (np.array(tops)[differing] < limit) | (total <= worst[np.array(until)[differing]])
    assert not (found & ~exact).any()
    assert (exact & ~found).sum() <= 0.02 * exact.sum()
    assert found.sum() > 100


@pytest.mark.parametrize("n", [1, 5, 14])
@pytest.mark.parametrize("level", [0.005, 0.05, 0.3])
def test_a_share_s_limits_are_those_of_all_counts(n: int, level: float) -> None:
    found = upper_shares(np.arange(n + 1), n, level)
    wanted = [share_above(k, n, level) for k in range(n + 1)]
    assert found == pytest.approx(wanted, abs=1e-7)
    assert (found >= np.array(wanted) - 1e-12).all()
    for k in range(n + 1):
        assert lower_share(k, n, level) == pytest.approx(1.0 - wanted[n - k], abs=1e-7)


def test_no_mean_of_a_few_rows_is_missed_more_often_than_said() -> None:
    """The upper limits' errors, over all counts and a grid of laws."""
    n = 10
    up, down, _ = counts_of(n)
    limits = upper_limits(n, up + down, up - down, DELTA)
    assert (limits >= np.maximum((up - down) / n, 0.0) - 1e-12).all()
    assert (limits <= 1.0).all()
    most = 0.0
    for mean in (0.02, 0.15, 0.4, 0.8):
        for share in np.linspace(mean, 1.0, 15):
            law = chances(n, (share + mean) / 2.0, (share - mean) / 2.0)
            most = max(most, law[limits < mean].sum())
    assert 0.02 < most <= DELTA + 1e-9


def test_an_upper_limit_is_exactly_where_every_share_is_ruled_out() -> None:
    n = 25
    for differing, total in ((0, 0), (4, 2), (9, -3), (16, 4), (25, 5)):
        limit = float(upper_limits(n, np.array([differing]), np.array([total]), DELTA)[0])
        top = share_above(differing, n, SPENT)
        worst = [
            max(
                tail(n, (share + mean) / 2.0, (share - mean) / 2.0, total)
                for share in np.linspace(mean, max(mean, top), 60)
            )
            for mean in (limit, max(limit - 0.02, 1e-6))
        ]
        assert worst[0] <= DELTA - SPENT + 1e-6
        assert worst[1] > DELTA - SPENT or limit == pytest.approx(top, abs=1e-4)


def test_more_losses_more_differing_rows_and_more_confidence_raise_a_limit() -> None:
    n = 40
    totals = np.arange(-10, 11)
    by_total = upper_limits(n, np.full(21, 20), totals, DELTA)
    assert (np.diff(by_total) >= 0).all()
    assert by_total[0] < by_total[-1]
    differing = np.arange(2, n + 1, 2)
    by_count = upper_limits(n, differing, np.full(len(differing), 2), DELTA)
    assert (np.diff(by_count) >= -1e-4).all()
    assert by_count[0] < by_count[-1]
    surer = upper_limits(n, differing, np.full(len(differing), 2), DELTA / 10.0)
    assert (surer > by_count).all()


def test_a_limit_is_the_same_alone_and_among_others() -> None:
    n = 80
    differing, total = np.array([0, 10, 50, 79]), np.array([0, 4, -6, 33])
    together = upper_limits(n, differing, total, DELTA)
    alone = [upper_limits(n, differing[i : i + 1], total[i : i + 1], DELTA)[0] for i in range(4)]
    assert together == pytest.approx(alone, abs=1e-6)


def test_fewer_differing_rows_than_could_be_asked_about_change_nothing() -> None:
    """``most`` only says how far the table has to go."""
    n, limit = 200, 0.06
    wide = critical_values(n, limit, DELTA, most=n)
    narrow = critical_values(n, limit, DELTA, most=30)
    assert len(narrow.sums) < len(wide.sums)
    differing, total = np.meshgrid(np.arange(31), np.arange(-30, 31), indexing="ij")
    assert (narrow.rejects(differing, total) == wide.rejects(differing, total)).all()
    assert (np.diff(wide.reached) >= 0).all()
    assert (np.diff(wide.sums) <= 0).all()


def test_steps_grow_with_the_rows_up_to_a_tenth() -> None:
    assert [step_for(n) for n in (1, 2000, 8000, 10**7)] == pytest.approx([0.02, 0.02, 0.04, 0.1])


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


@pytest.mark.parametrize("mean", [0.001, 0.05])
@pytest.mark.parametrize("share", [0.05, 0.3])
def test_an_exact_upper_limit_misses_at_most_at_its_level(share: float, mean: float) -> None:
    """Of larger shares, where a limit takes milliseconds, the counts of few rows stand above."""
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
