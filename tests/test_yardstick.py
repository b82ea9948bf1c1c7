"""training/judging/yardstick.py: what all routers are measured against."""

from __future__ import annotations

import numpy as np
from pool_case import scores

from hybridroute.training.judging.all_runs import Plan, run_of
from hybridroute.training.judging.averaged_rows import RowAverager
from hybridroute.training.judging.folds import folds_of
from hybridroute.training.judging.paired import Average
from hybridroute.training.judging.records import records_of
from hybridroute.training.judging.yardstick import Yardstick, cheapest_of, yardstick_of
from hybridroute.training.pool.score_table import ScoreTable


def yardstick(train: ScoreTable, test: ScoreTable, average: Average = "rows") -> Yardstick:
    """Of rows to judge that are given; no router is fitted."""
    records = records_of(train, test)
    plan = Plan(held_out="given", seeds=1, average=average, resamples=1000)
    folds = folds_of(records.table, held_out="given", seeds=1, test=records.test)
    runs = [run_of(records, fold, plan) for fold in folds]
    return yardstick_of(records, plan, runs, RowAverager(folds, records.table.domains, average))


def test_costs_that_judged_rows_lack_come_from_the_rows_to_train_on() -> None:
    """What is judged does not teach what a call costs."""
    sizes = np.arange(10, 60)
    quality = np.tile([0.0, 1.0], (50, 1))
    paid = np.column_stack([1.0 * sizes, 10.0 * sizes])
    train = scores(quality, cost=paid, texts=["y" * size for size in sizes])
    judged = np.column_stack([3.0 * sizes, np.where(sizes % 2, np.nan, 30.0 * sizes)])
    found = yardstick(train, scores(quality, cost=judged, texts=["x" * size for size in sizes]))
    filled = np.where(sizes % 2, 10.0 * sizes, 30.0 * sizes)
    np.testing.assert_allclose(found.arm_cost, [3.0 * sizes.mean(), filled.mean()])


def lopsided(better: int) -> tuple[ScoreTable, ScoreTable]:
    """Of 6 rows of a small domain the dear arm wins so many; of 594 others none."""
    domains = ["small"] * 6 + ["big"] * 594
    quality = np.zeros((600, 2))
    quality[:better, 1] = 1.0
    cost = np.tile([1.0, 10.0], (600, 1))
    train = scores(quality, cost=cost, domains=domains, texts=[f"old {row}" for row in range(600)])
    return train, scores(quality, cost=cost, domains=domains)


def test_a_lead_is_clear_by_the_standard_error_of_the_mean_it_is() -> None:
    """Two of six rows are luck, however many rows another domain has."""
    unsure = yardstick(*lopsided(2), average="domains")
    lead = unsure.ends.high_quality - unsure.ends.low_quality
    np.testing.assert_allclose(lead, 1 / 6)
    assert not unsure.ends.clear
    assert "2 SE" in str(unsure.cpt_undefined)
    assert yardstick(*lopsided(5), average="domains").ends.clear
    assert not yardstick(*lopsided(2)).ends.clear
    assert yardstick(*lopsided(6)).ends.clear


def test_of_equally_cheap_arms_the_better_is_the_cheapest() -> None:
    costs = np.array([[1.0, 1.0 + 1e-14, 0.5], [2.0, 1.0, 3.0]])
    qualities = np.array([[0.2, 0.3, np.nan], [0.9, 0.1, 0.9]])
    assert cheapest_of(costs, qualities).tolist() == [1, 1]
