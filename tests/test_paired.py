"""training/judging/paired.py: intervals of paired differences."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.judging.paired import Resamples, resamples_of


def drawn(domains: list[str | None], **more: object) -> Resamples:
    given = {"average": "rows", "held_out_domains": False, "resamples": 400, "seed": 1} | more
    return resamples_of(domains, **given)  # type: ignore[arg-type]


def test_what_both_share_cancels() -> None:
    draw = np.random.default_rng(0)
    hard = draw.normal(size=500)
    one, other = hard + 0.1, hard + 0.01 * draw.normal(size=500)
    held = drawn([None] * 500)
    low, high = held.interval(one - other)
    assert 0.09 < low < held.mean(one - other) < high < 0.11
    apart = held.interval(one)[1] - held.interval(one)[0]
    assert apart > 20 * (high - low)


def test_the_interval_has_the_width_of_the_standard_error() -> None:
    values = np.random.default_rng(3).normal(size=800)
    low, high = drawn([None] * 800, resamples=2000).interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 / np.sqrt(800), rel=0.1)


def test_averaged_over_domains_each_weighs_the_same() -> None:
    held = drawn(["a", "a", "a", "b"], average="domains")
    assert held.mean(np.array([0.0, 0.0, 0.0, 1.0])) == pytest.approx(0.5)
    np.testing.assert_allclose(held.drawn.sum(axis=1), 1.0)


def test_what_domains_differ_by_is_no_spread_of_their_mean() -> None:
    """40 rows of mean .03 and 4,000 of mean .98: only the spread within each counts."""
    draw = np.random.default_rng(0)
    values = np.concatenate([0.05 * draw.random(40), 0.95 + 0.05 * draw.random(4000)])
    held = drawn(["a"] * 40 + ["b"] * 4000, average="domains")
    assert held.resampled == "rows within each domain"
    error = float(np.sqrt(values[:40].var() / 40 + values[40:].var() / 4000) / 2)
    assert held.standard_error(values) == pytest.approx(error, rel=0.15)
    low, high = held.interval(values)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.2)
    in_first = held.drawn[:, :40].sum(axis=1)
    np.testing.assert_allclose(in_first, 0.5)


def test_domains_of_one_row_are_drawn_from_together() -> None:
    """Drawn from one by one, they would be known exactly."""
    values = np.random.default_rng(1).normal(size=60)
    held = drawn([*(f"d{row}" for row in range(50)), *["big"] * 10], average="domains")
    within = values[:50].var() / 50 * (50 / 51) ** 2 + values[50:].var() / 10 / 51**2
    assert held.standard_error(values) == pytest.approx(np.sqrt(within), rel=0.15)
    np.testing.assert_allclose(held.drawn.sum(axis=1), 1.0)


def test_held_out_domains_keep_their_own_spread_where_domains_are_averaged() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0], [10, 40, 10, 40])
    domains = [
        name for name, size in zip("abcd", (10, 40, 10, 40), strict=True) for _ in range(size)
    ]
    held = drawn(domains, average="domains", held_out_domains=True, resamples=4000)
    assert held.standard_error(values) == pytest.approx(0.25, rel=0.1)


def test_one_row_has_no_standard_error() -> None:
    assert drawn(["a"]).standard_error(np.array([0.5])) == np.inf


def test_domains_are_drawn_where_they_are_held_out() -> None:
    """Rows of a domain are alike here, so only drawing domains shows how unsure the mean is."""
    domains: list[str | None] = [f"d{row // 50}" for row in range(500)]
    values = np.repeat(np.random.default_rng(4).normal(size=10), 50)
    rows = drawn(domains).interval(values)
    whole = drawn(domains, held_out_domains=True)
    assert whole.resampled == "domains, then rows"
    low, high = whole.interval(values)
    assert high - low > 4 * (rows[1] - rows[0])


def test_a_row_without_a_domain_is_refused_where_domains_count() -> None:
    with pytest.raises(DataError, match="a row has no domain"):
        drawn(["a", None], average="domains")
