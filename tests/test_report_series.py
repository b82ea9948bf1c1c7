"""The report's curves against sums made row by row."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from report_cases import CLOUD, EDGE, fractional_table, rows_of, table_of

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.curve import curve_of
from hybridroute.training.report_page.routers import (
    Router,
    Rows,
    oracle_router,
    random_router,
)
from hybridroute.training.report_page.series import (
    ADVANTAGES,
    MOST_CELLS,
    kept_sum,
    line_of,
    refused_relative,
    usual_resamples,
)


def _by_hand(scores: np.ndarray, values: np.ndarray, weights: np.ndarray, share: float) -> float:
    """Every row written out as often as it was drawn, tied rows by the mean over all orders."""
    drawn = [(s, v) for s, v, w in zip(scores, values, weights, strict=True) for _ in range(int(w))]
    sums = []
    for order in itertools.permutations(drawn):
        if any(earlier[0] < later[0] for earlier, later in itertools.pairwise(order)):
            continue
        running = np.concatenate([[0.0], np.cumsum([value for _, value in order])])
        sums.append(np.interp(share * len(drawn), np.arange(len(drawn) + 1), running))
    return float(np.mean(sums))


@pytest.mark.parametrize("seed", range(4))
def test_kept_sum_is_the_mean_over_all_orders(seed: int) -> None:
    draw = np.random.default_rng(seed)
    scores = draw.integers(0, 3, size=6) / 2.0
    values = draw.normal(size=6)
    weights = draw.multinomial(6, np.full(6, 1 / 6), size=3).astype(float)
    shares = np.array([0.0, 0.17, 0.5, 0.83, 1.0])
    found = kept_sum(scores, values, weights, shares)
    wanted = [[_by_hand(scores, values, row, share) for share in shares] for row in weights]
    assert found == pytest.approx(np.array(wanted), abs=1e-12)


def test_the_drop_is_the_exact_curves() -> None:
    rows = rows_of(fractional_table(37))
    scores = np.random.default_rng(5).random(37).round(1)
    line = line_of(Router(name="r", kind="this", scores=scores), rows)
    curve = curve_of(scores, rows.edge_q, rows.cloud_q)
    wanted = [curve.cloud_quality - curve.quality_at(1.0 - share) for share in ADVANTAGES]
    assert line.drop.middle == pytest.approx(wanted, abs=1e-12)
    assert line.relative_drop is not None
    level = abs(curve.cloud_quality)
    assert line.relative_drop.middle == pytest.approx([drop / level for drop in wanted])


def test_the_gap_difference_is_mean_h_of_one_side_minus_the_other() -> None:
    rows = rows_of(fractional_table(50))
    scores = np.random.default_rng(1).permutation(50).astype(float)
    line = line_of(Router(name="r", kind="this", scores=scores), rows)
    h = rows.edge_q - rows.cloud_q
    for place, share in enumerate(ADVANTAGES[1:-1]):
        on_edge = scores >= 50 - round(share * 50)
        wanted = h[on_edge].mean() - h[~on_edge].mean()
        assert line.gap_difference.middle[place] == pytest.approx(wanted, abs=1e-12)


def test_chance_is_straight_and_its_gap_difference_zero() -> None:
    rows = rows_of(fractional_table(40))
    line = line_of(random_router(40), rows)
    gap = float((rows.cloud_q - rows.edge_q).mean())
    assert line.drop.middle == pytest.approx([share * gap for share in ADVANTAGES])
    assert np.abs(line.gap_difference.middle).max() < 1e-12
    assert np.abs(line.gap_difference.high).max() < 1e-12


def test_nothing_lies_below_the_oracle() -> None:
    rows = rows_of(fractional_table(60))
    best = np.array(line_of(oracle_router(rows.edge_q, rows.cloud_q), rows).drop.middle)
    for seed in range(5):
        scores = np.random.default_rng(seed).random(60)
        other = line_of(Router(name="r", kind="bundle", scores=scores), rows).drop.middle
        assert (best <= np.array(other) + 1e-12).all()


def test_bands_hold_their_middle_and_are_one_for_one_seed() -> None:
    table = fractional_table(80)
    scores = np.random.default_rng(2).random(80)
    router = Router(name="r", kind="this", scores=scores)
    one, again, other = (line_of(router, rows_of(table, seed=seed)) for seed in (0, 0, 1))
    assert one == again
    assert one.drop.low != other.drop.low
    band = one.drop
    assert all(
        low < at < high
        for low, at, high in list(zip(band.low, band.middle, band.high, strict=True))[5:]
    )


def test_a_percentage_is_refused_near_zero() -> None:
    draw = np.random.default_rng(0)
    rows = rows_of(table_of(draw.normal(size=(30, 1)), draw.normal(size=(30, 1))))
    assert "under 5 SE" in (refused_relative(rows) or "")
    assert line_of(random_router(30), rows).relative_drop is None


def test_resamples_stay_within_memory() -> None:
    assert usual_resamples(3) == usual_resamples(1000)
    assert usual_resamples(100_000) * 100_000 <= MOST_CELLS
    assert usual_resamples(10**7) >= 50


def test_weights_of_another_length_are_refused() -> None:
    with pytest.raises(DataError, match="give one a row"):
        Rows(
            table=table_of([[1.0]], [[0.0]]),
            edge=EDGE,
            cloud=CLOUD,
            weights=np.ones((5, 2)),
            resampled="rows",
        )
