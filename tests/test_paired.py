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
