"""The search for a threshold: from above, one test after another, until the first refusal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.promise.outcomes import LATTICE, Limit, PairedOutcomes, QualityRange
from hybridroute.training.promise.search import (
    block_of,
    edge_sums,
    exact_level,
    first_refusal,
    is_exact,
    passes,
    relative_level,
    search,
)

UNIT = QualityRange()
ALL_CLOUD = len(LATTICE)


def rows_of(n: int, *, seed: int = 0, fractions: bool = False) -> PairedOutcomes:
    """Scores on a tenth of the lattice's places; the edge errs at low scores."""
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 101, n) / 100
    right = 0.5 + 0.5 * scores
    if fractions:
        edge, cloud = draw.binomial(4, right) / 4, draw.binomial(4, 0.95, n) / 4
    else:
        edge, cloud = (draw.random(n) < right).astype(float), (draw.random(n) < 0.97).astype(float)
    return PairedOutcomes(scores=scores, edge_q=edge, cloud_q=cloud, quality_range=UNIT)


def passed_from_above(rows: PairedOutcomes, limit: Limit) -> int:
    """The fixed sequence, test by test: only where a score stands can the answer change."""
    found = ALL_CLOUD
    turns = {0, *rows.place.tolist(), *(rows.place + 1).tolist()}
    for place in sorted((at for at in turns if at < ALL_CLOUD), reverse=True):
        if not passes(rows, limit, place):
            break
        found = place
    else:
        return 0
    # The thresholds between this one and the next that a score stands at have the same rows.
    lower = rows.place[rows.place < found]
    return int(lower.max()) + 1 if len(lower) else 0


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("kind", ["absolute", "relative", "gap"])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_stops_where_the_tests_one_by_one_do(kind: str, fractions: bool, seed: int) -> None:
    rows = rows_of(300, seed=seed, fractions=fractions)
    limit = Limit(max_drop=0.4 if kind == "gap" else 0.08, kind=kind)
    found = search(rows, limit, coarser=4.0)
    assert found.place == passed_from_above(rows, limit)
    assert found.test == ("three-valued" if is_exact(rows, limit) else "betting")


def test_some_of_those_stop_between_the_ends() -> None:
    places = [search(rows_of(300, seed=seed), Limit(max_drop=0.08)).place for seed in range(2)]
    assert all(0 < place < ALL_CLOUD for place in places)


def test_which_test_is_used() -> None:
    whole, fractions = rows_of(20), rows_of(20, fractions=True)
    asked = [Limit(max_drop=0.1, kind=kind) for kind in ("absolute", "relative", "gap")]
    assert [is_exact(whole, one) for one in asked] == [True, True, False]
    assert [is_exact(fractions, one) for one in asked] == [False, False, False]


def test_the_sums_at_each_threshold_are_of_the_rows_on_the_edge_there() -> None:
    rows = rows_of(60)
    differing, total = edge_sums(rows)
    assert len(differing) == len(total) == ALL_CLOUD
    for place in (0, 1, 137, 500, 999, 1000):
        on_edge = rows.scores >= LATTICE[place]
        loss = (rows.cloud_q - rows.edge_q)[on_edge]
        assert (differing[place], total[place]) == (np.count_nonzero(loss), loss.sum())


def test_the_search_stops_at_the_first_refusal_from_above() -> None:
    certified = np.array([[True, False, True, True], [True] * 4, [True, True, True, False]])
    assert first_refusal(certified).tolist() == [2, 0, 4]


@pytest.mark.parametrize("fractions", [False, True])
def test_a_threshold_under_a_refused_one_is_not_taken(fractions: bool) -> None:
    """The edge loses at the top and makes up for it below: from above that is never seen."""
    n = 400
    top = np.arange(n) < 40
    good = 0.75 if fractions else 1.0
    rows = PairedOutcomes(
        scores=np.where(top, 0.9, 0.1),
        edge_q=np.where(top, 0.0, good),
        cloud_q=np.where(top, good, 0.0),
        quality_range=UNIT,
    )
    limit = Limit(max_drop=0.05)
    assert passes(rows, limit, 0)
    assert not passes(rows, limit, 500)
    assert search(rows, limit).place == 901


def test_too_few_rows_certify_nothing() -> None:
    for fractions in (False, True):
        rows = rows_of(10, fractions=fractions)
        same = replace(rows, edge_q=rows.cloud_q)
        assert search(same, Limit(max_drop=0.01)).place == ALL_CLOUD
        assert not passes(same, Limit(max_drop=0.01), 1000)


def test_arms_that_never_differ_are_certified_to_the_bottom() -> None:
    for fractions in (False, True):
        rows = rows_of(400, fractions=fractions)
        same = replace(rows, edge_q=rows.cloud_q)
        assert search(same, Limit(max_drop=0.05)).place == 0


def test_a_limit_that_no_loss_can_pass_needs_no_test() -> None:
    """Qualities from 0 to 0.1 cannot drop by 0.2."""
    rows = PairedOutcomes(
        scores=np.array([0.2, 0.8]),
        edge_q=np.zeros(2),
        cloud_q=np.full(2, 0.1),
        quality_range=QualityRange(low=0.0, high=0.1),
    )
    limit = Limit(max_drop=0.2)
    assert is_exact(rows, limit)
    assert search(rows, limit).place == 0
    assert passes(rows, limit, 0)


def test_a_share_of_nothing_is_no_limit() -> None:
    """A cloud that is always wrong leaves a relative drop nothing to be."""
    wrong = np.zeros(300)
    rows = PairedOutcomes(
        scores=np.linspace(0, 1, 300), edge_q=wrong, cloud_q=wrong, quality_range=UNIT
    )
    limit = Limit(max_drop=0.1, kind="relative")
    assert search(rows, limit).place == ALL_CLOUD
    assert not passes(rows, limit, 500)


def test_the_reference_of_a_relative_limit_is_missed_within_its_part_of_delta() -> None:
    """Over all counts of right answers; and both parts make up delta."""
    n, share, max_drop, delta = 30, 0.8, 0.1, 0.1
    held = [relative_level(max_drop, right, n, delta) for right in range(n + 1)]
    spent = {delta - left for _, left in held}
    assert len(spent) == 1
    assert 0.0 < max(spent) < 0.1 * delta
    levels = np.array([level for level, _ in held])
    assert (np.diff(levels) > 0).all()
    weights = np.array([share**k * (1 - share) ** (n - k) for k in range(n + 1)])
    ways = np.cumprod([1.0, *[(n - k) / (k + 1) for k in range(n)]])
    missed = (weights * ways)[levels > max_drop * share].sum()
    assert 0.0 < missed <= max(spent) + 1e-9


def test_the_level_of_an_absolute_limit_is_in_widths_of_the_range() -> None:
    rows = rows_of(50)
    wide = replace(
        rows,
        edge_q=rows.edge_q * 5.0 - 2.0,
        cloud_q=rows.cloud_q * 5.0 - 2.0,
        quality_range=QualityRange(low=-2.0, high=3.0),
    )
    assert exact_level(wide, Limit(max_drop=0.5)) == pytest.approx((0.1, 0.1))
    assert exact_level(rows, Limit(max_drop=0.5, confidence=0.8)) == pytest.approx((0.5, 0.2))


@pytest.mark.parametrize(("low", "high"), [(1.0, 2.0), (-2.0, -1.0), (0.0, 1.0)])
def test_the_level_of_a_relative_limit_is_below_its_share_of_the_mean(
    low: float, high: float
) -> None:
    cloud = np.where(np.arange(2000) % 4 == 0, low, high)
    rows = PairedOutcomes(
        scores=np.zeros(2000),
        edge_q=cloud,
        cloud_q=cloud,
        quality_range=QualityRange(low=low, high=high),
    )
    level, delta = exact_level(rows, Limit(max_drop=0.1, kind="relative"))
    share = 0.1 * abs(cloud.mean()) / (high - low)
    assert 0.95 * share < level < share
    assert delta == pytest.approx(0.095)


def test_a_relative_limit_on_a_range_of_both_signs_is_refused() -> None:
    rows = replace(rows_of(50, fractions=True), quality_range=QualityRange(low=-1.0, high=1.0))
    for act in (search, lambda held, limit: passes(held, limit, 500)):
        with pytest.raises(DataError, match="may average to 0"):
            act(rows, Limit(max_drop=0.1, kind="relative"))


def test_many_rows_are_bet_on_in_blocks_of_neighbours() -> None:
    few, many = block_of(rows_of(4999)), block_of(rows_of(12_345))
    assert few.tolist() == list(range(4999))
    assert set(np.diff(many)) == {0, 1}
    assert (many[0], many[-1]) == (0, 4999)
    assert set(np.bincount(many)) == {2, 3}
