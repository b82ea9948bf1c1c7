"""Areas over chance, and who leads whom."""

from __future__ import annotations

import numpy as np
import pytest
from report_cases import fractional_table, rows_of, table_of

from hybridroute.training.curve import curve_of
from hybridroute.training.metrics import area_over_random
from hybridroute.training.report_page.areas import standings, weighted_area
from hybridroute.training.report_page.routers import Router, oracle_router, random_router


@pytest.mark.parametrize("seed", range(3))
def test_a_weighted_area_is_that_of_the_rows_written_out(seed: int) -> None:
    draw = np.random.default_rng(seed)
    scores, edge, cloud = draw.integers(0, 5, size=20) / 4.0, draw.random(20), draw.random(20)
    weights = draw.multinomial(20, np.full(20, 0.05), size=4).astype(float)
    found = weighted_area(scores, cloud - edge, weights)
    for row, area in zip(weights.astype(int), found, strict=True):
        curve = curve_of(*(np.repeat(held, row) for held in (scores, edge, cloud)))
        assert area == pytest.approx(area_over_random(curve), abs=1e-12)


def test_the_oracle_has_all_and_chance_nothing() -> None:
    rows = rows_of(fractional_table(60))
    middling = Router(name="this", kind="this", scores=np.random.default_rng(0).random(60))
    routers = (middling, random_router(60), oracle_router(rows.edge_q, rows.cloud_q))
    this, chance, oracle = standings(routers, rows)
    assert oracle.oracle_share == pytest.approx(1.0)
    assert chance.oracle_share == pytest.approx(0.0)
    assert chance.apgr == pytest.approx(0.5)
    assert this.lead is None
    assert oracle.lead is not None
    assert oracle.lead[2] < 0.0
    assert chance.lead is not None
    assert chance.lead[0] == pytest.approx(this.area - chance.area)
    assert chance.lead[1] < chance.lead[0] < chance.lead[2]


def test_where_the_arms_never_differ_there_is_no_share() -> None:
    rows = rows_of(table_of([[1.0]] * 5, [[1.0]] * 5))
    held = standings((random_router(5),), rows)[0]
    assert held.oracle_share is None
    assert held.apgr is None
    assert held.area == 0.0
