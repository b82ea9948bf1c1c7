"""Outcomes and a limit -> a threshold: valid on a known population, and every refusal."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import ALL_CLOUD_THRESHOLD
from hybridroute.edge_runtime.promises import PromiseKind
from hybridroute.training.calibrate import calibrate
from hybridroute.training.promise.bounds import drop_bounds
from hybridroute.training.promise.fit import fit_promise
from hybridroute.training.promise.outcomes import (
    LATTICE,
    Limit,
    PairedOutcomes,
    QualityRange,
)
from hybridroute.training.promise.search import edge_sums, first_refusal, passes, search
from hybridroute.training.promise.table import promise_table
from hybridroute.training.promise.three_valued import critical_values

UNIT = QualityRange()


def population(seed: int, n: int, *, fractions: bool = False) -> PairedOutcomes:
    """The edge is right more often at high scores; the cloud always at .85."""
    draw = np.random.default_rng(seed)
    score = draw.beta(2, 2, n)
    right = 0.45 + 0.4 * score
    if fractions:
        edge, cloud = draw.binomial(10, right) / 10, draw.binomial(10, 0.85, n) / 10
    else:
        shared = draw.random(n)  # the arms err on the same rows: pairing pays
        edge, cloud = (shared < right).astype(float), (shared < 0.85).astype(float)
    return PairedOutcomes(scores=score, edge_q=edge, cloud_q=cloud, quality_range=UNIT)


def true_drop(threshold: float, kind: PromiseKind) -> float:
    """Of that population, by the integral of (.85 - .45 - .4 s) 6 s (1 - s) above the threshold."""
    grid = np.linspace(min(threshold, 1.0), 1.0, 20_001)
    density = 6.0 * grid * (1.0 - grid)
    loss = float(np.trapezoid((0.4 - 0.4 * grid) * density, grid))
    return loss / {"absolute": 1.0, "relative": 0.85, "gap": 0.2}[kind]


@pytest.mark.parametrize(
    ("kind", "max_drop", "fractions", "runs"),
    [
        ("relative", 0.06, False, 40),
        ("absolute", 0.05, True, 120),
        ("relative", 0.06, True, 120),
        ("gap", 0.3, False, 120),
    ],
)
def test_promises_break_no_more_often_than_they_say(
    kind: PromiseKind, max_drop: float, fractions: bool, runs: int
) -> None:
    limit = Limit(max_drop=max_drop, confidence=0.9, kind=kind)
    found = [
        fit_promise_quickly(population(seed, 400, fractions=fractions), limit)
        for seed in range(runs)
    ]
    broken = sum(true_drop(threshold, kind) > max_drop for threshold in found)
    assert broken <= 0.1 * runs + 2 * (0.09 * runs) ** 0.5
    assert sum(threshold <= 1.0 for threshold in found) > 0.5 * runs


def test_the_exact_search_breaks_no_more_often_than_it_says() -> None:
    """A point estimate on the same rows breaks the limit in about half of all cases."""
    runs, n, limit = 400, 400, 0.05
    held = critical_values(n, limit, 0.1, most=n)
    broken = np.zeros(2)
    for seed in range(runs):
        differing, total = edge_sums(population(seed, n))
        for at, certified in enumerate((held.rejects(differing, total), total <= limit * n)):
            place = int(first_refusal(certified))
            threshold = LATTICE[place] if place < len(LATTICE) else ALL_CLOUD_THRESHOLD
            broken[at] += true_drop(float(threshold), "absolute") > limit
    assert broken[0] <= 0.1 * runs + 2 * (0.09 * runs) ** 0.5
    assert broken[1] > 0.3 * runs


def fit_promise_quickly(rows: PairedOutcomes, limit: Limit) -> float:
    """The threshold alone: the bound is halved towards afterwards and takes most of the time."""
    place = search(rows, limit).place
    return float(LATTICE[place]) if place < len(LATTICE) else ALL_CLOUD_THRESHOLD


@pytest.mark.parametrize("fractions", [False, True])
@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_point_value_and_bound_lie_under_the_limit(kind: PromiseKind, fractions: bool) -> None:
    rows = population(7, 3000, fractions=fractions)
    found = fit_promise(rows, Limit(max_drop=0.05, kind=kind))
    assert found.feasible
    on_edge = rows.scores >= found.threshold
    assert found.cost_advantage == on_edge.mean()
    loss = np.where(on_edge, rows.cloud_q - rows.edge_q, 0.0).mean()
    unit = rows.cloud_q.mean() if kind == "relative" else 1.0
    assert found.drop == pytest.approx(loss / unit)
    assert found.drop < found.drop_bound <= 0.05
    assert found.test == ("betting" if fractions else "three-valued")
    body = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert {"feasible", "threshold", "cost_advantage", "drop", "drop_bound", "n"} <= body.keys()
    assert body["delta"] == 0.1


@pytest.mark.parametrize("fractions", [False, True])
def test_a_table_holds_bounds_and_not_limits(fractions: bool) -> None:
    rows = population(8, 2000, fractions=fractions)
    calibration = calibrate(rows.scores, rows.edge_q, rows.cloud_q, "made up")
    table = promise_table(rows, source="made up", calibration=calibration)
    kept = [held for held in table.kept if held.feasible and held.cost_advantage < 1.0]
    assert all(held.drop < held.drop_bound <= held.max_drop for held in kept)
    assert any(held.drop_bound < held.max_drop - 1e-4 for held in kept)
    assert table.dial is not None
    bounds = np.array(table.dial.bounds)
    assert len(np.unique(bounds)) > 100
    assert (bounds >= np.array(table.dial.drop)).all()
    # Certified alone at its own bound, and not clearly below it.
    for at in (100, 500, 900):
        threshold, bound = calibration.dial.thresholds[at], float(bounds[at])
        moved = replace_scores(rows, threshold)
        assert passes(moved, Limit(max_drop=bound * 1.03 + 5e-4), 500)
        assert not passes(moved, Limit(max_drop=bound * 0.97 - 5e-4), 500)


def replace_scores(rows: PairedOutcomes, threshold: float) -> PairedOutcomes:
    """Scores of 1 on the edge and 0 else, as the lattice does not hold every threshold."""
    on_edge = (rows.scores >= threshold).astype(float)
    return replace(rows, scores=on_edge)


def test_the_bound_at_a_fixed_threshold_misses_no_more_often_than_it_says() -> None:
    runs, truth = 300, true_drop(0.5, "absolute")
    limit = Limit(max_drop=0.05, confidence=0.9)
    missed = sum(
        float(drop_bounds(population(seed, 300), [0.5], limit)[0]) < truth for seed in range(runs)
    )
    assert missed <= 0.1 * runs + 2 * (0.09 * runs) ** 0.5


def test_nothing_is_lost_only_where_no_score_can_be() -> None:
    rows = population(9, 500)
    bounds = drop_bounds(rows, [1.0, ALL_CLOUD_THRESHOLD], Limit(max_drop=0.05))
    assert 0.0 < bounds[0] < 0.02
    assert bounds[1] == 0.0


def test_a_looser_limit_and_more_rows_never_cost_more() -> None:
    rows = population(1, 1500)
    found = [search(rows, Limit(max_drop=drop)).place for drop in (0.01, 0.02, 0.05, 0.1)]
    assert found == sorted(found, reverse=True)


def test_too_few_rows_are_infeasible_and_say_how_many_would_do() -> None:
    found = fit_promise(population(2, 60), Limit(max_drop=0.01))
    assert (found.feasible, found.threshold) == (False, ALL_CLOUD_THRESHOLD)
    assert (found.cost_advantage, found.drop, found.drop_bound) == (0.0, 0.0, 0.0)
    assert found.needed_n is not None
    assert 230 < found.needed_n < 100_000
    one = fit_promise(population(2, 1), Limit(max_drop=0.01))
    assert not one.feasible


def test_where_the_edge_is_worse_everywhere_no_number_would_do() -> None:
    score = np.linspace(0, 1, 500)
    rows = PairedOutcomes(
        scores=np.full(500, 0.5),
        edge_q=np.zeros(500),
        cloud_q=(score < 0.9).astype(float),
        quality_range=UNIT,
    )
    found = fit_promise(rows, Limit(max_drop=0.05))
    assert not found.feasible
    assert found.needed_n is None


def test_arms_that_never_differ_may_all_stay_on_the_edge() -> None:
    same = np.ones(600)
    rows = PairedOutcomes(
        scores=np.linspace(0, 1, 600), edge_q=same, cloud_q=same, quality_range=UNIT
    )
    found = fit_promise(rows, Limit(max_drop=0.02))
    assert (found.feasible, found.threshold, found.cost_advantage) == (True, 0.0, 1.0)
    assert found.drop == 0.0
    assert 0.0 < found.drop_bound < 0.02
    assert found.note == "the arms never differ on these rows"
    with pytest.raises(DataError, match="no share of the gap"):
        fit_promise(rows, Limit(max_drop=0.02, kind="gap"))


def test_rows_out_of_scope_are_never_kept_on_the_edge() -> None:
    """A quarter cannot be read: at threshold 0 the client keeps three quarters of all."""
    seen = population(5, 2000)
    outside = np.arange(2000) % 4 == 0
    rows = PairedOutcomes(
        scores=np.where(outside, 0.0, seen.scores),
        edge_q=seen.cloud_q,
        cloud_q=seen.cloud_q,
        quality_range=UNIT,
        outside=outside,
    )
    found = fit_promise(rows, Limit(max_drop=0.02))
    assert (found.feasible, found.threshold, found.cost_advantage) == (True, 0.0, 0.75)
    bare = replace(rows, outside=np.zeros(2000, dtype=bool))
    assert fit_promise(bare, Limit(max_drop=0.02)).drop_bound == found.drop_bound
    calibration = calibrate(seen.scores, seen.edge_q, seen.cloud_q, "made up")
    dial = promise_table(rows, source="made up", calibration=calibration).dial
    assert dial is not None
    kept = (rows.scores >= calibration.dial.thresholds[0]) & ~outside
    assert dial.cost_advantage[0] == pytest.approx(kept.mean(), abs=1e-6)
    whole = replace(calibration.dial, thresholds=(0.0,) * (GRID + 1))
    dial = promise_table(rows, source="made up", calibration=replace(calibration, dial=whole)).dial
    assert dial is not None
    assert set(dial.cost_advantage) == {0.75}


def test_where_no_row_can_be_read_nothing_is_kept() -> None:
    rows = population(6, 400)
    none = replace(rows, edge_q=rows.cloud_q, outside=np.ones(400, dtype=bool))
    found = fit_promise(none, Limit(max_drop=0.05))
    assert (found.feasible, found.cost_advantage, found.needed_n) == (False, 0.0, None)


def test_the_gap_must_be_clear() -> None:
    rows = population(3, 400)
    even = PairedOutcomes(
        scores=rows.scores, edge_q=rows.edge_q, cloud_q=rows.edge_q[::-1], quality_range=UNIT
    )
    with pytest.raises(DataError, match="not above 2 SE"):
        fit_promise(even, Limit(max_drop=0.1, kind="gap"))


def test_a_range_of_negative_qualities_does_as_well() -> None:
    rows = population(4, 2000, fractions=True)
    shifted = PairedOutcomes(
        scores=rows.scores,
        edge_q=4.0 * rows.edge_q - 4.0,
        cloud_q=4.0 * rows.cloud_q - 4.0,
        quality_range=QualityRange(low=-4.0, high=0.0),
    )
    here = search(rows, Limit(max_drop=0.05))
    assert search(shifted, Limit(max_drop=0.2)) == here
    relative = fit_promise(shifted, Limit(max_drop=0.3, kind="relative"))
    assert relative.feasible
    assert 0.0 < relative.drop_bound <= 0.3


@pytest.mark.parametrize("name", ["max_drop", "confidence"])
@pytest.mark.parametrize("bad", [0.0, 1.0, -0.2, 1.2, float("nan")])
def test_alpha_and_delta_lie_between_0_and_1(name: str, bad: float) -> None:
    with pytest.raises(ConfigError, match=name):
        Limit(**{"max_drop": 0.1, "confidence": 0.9, name: bad})


def one_bad(**changes: np.ndarray) -> None:
    held = {name: np.full(3, 0.5) for name in ("scores", "edge_q", "cloud_q")}
    PairedOutcomes(**{**held, **changes}, quality_range=UNIT)


def test_bad_columns_are_refused() -> None:
    with pytest.raises(DataError, match=r"edge_q\[1\] is nan"):
        one_bad(edge_q=np.array([0.1, np.nan, 0.1]))
    with pytest.raises(DataError, match="--quality-range"):
        one_bad(edge_q=np.array([0.1, -2.5, 0.1]))
    with pytest.raises(DataError, match="--quality-range"):
        one_bad(cloud_q=np.array([0.1, 7.0, 0.1]))
    with pytest.raises(DataError, match="scores are from 0 to 1"):
        one_bad(scores=np.array([0.1, 1.5, 0.1]))
    with pytest.raises(DataError, match="is empty"):
        one_bad(**{name: np.array([]) for name in ("scores", "edge_q", "cloud_q")})
    with pytest.raises(ConfigError, match="low < high"):
        QualityRange(low=1.0, high=1.0)


def test_a_relative_limit_needs_one_sign() -> None:
    rows = PairedOutcomes(
        scores=np.array([0.5, 0.6]),
        edge_q=np.array([-0.5, 0.5]),
        cloud_q=np.array([0.5, 0.5]),
        quality_range=QualityRange(low=-1.0, high=1.0),
    )
    with pytest.raises(DataError, match="leave --drop-kind out"):
        fit_promise(rows, Limit(max_drop=0.1, kind="relative"))


def test_the_thresholds_are_those_of_the_bundles_tables_and_stay_so() -> None:
    assert LATTICE.tolist() == [at / GRID for at in range(GRID + 1)]
    with pytest.raises(ValueError, match="read-only"):
        LATTICE[0] = 0.5
