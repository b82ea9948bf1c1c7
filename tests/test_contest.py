"""training/judging/contest.py: the whole protocol on small tables, and on awkward ones."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from pool_case import drawn_scores, queries_of, scores

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.judging.all_runs import Plan
from hybridroute.training.judging.build_comparison import BEST_SINGLE, EQUAL_COST, ZERO
from hybridroute.training.judging.comparison import Comparison
from hybridroute.training.judging.contenders import contenders_of, standing_beside
from hybridroute.training.judging.contest import contest
from hybridroute.training.judging.records import records_of
from hybridroute.training.out_of_scope import Scope
from hybridroute.training.pool.score_table import ScoreTable

QUICK = ("random", "length", "knn", "ridge")
PLAN = Plan(held_out="prompts", seeds=3, resamples=100)


def compared(
    table: ScoreTable,
    test: ScoreTable | None = None,
    *,
    plan: Plan = PLAN,
    names: tuple[str, ...] = QUICK,
    prices: dict[str, float] | None = None,
) -> Comparison:
    records = records_of(table, test, prices=prices)
    found = contest(records, queries_of(records.table), contenders_of(names), plan).found
    json.dumps(found.to_dict(), allow_nan=False)  # every number is finite or null
    return found


@pytest.fixture(scope="module")
def usual() -> Comparison:
    return compared(drawn_scores(400, 4))


def test_every_row_of_the_table_stands(usual: Comparison) -> None:
    assert {one.name for one in usual.estimators} == set(QUICK)
    baselines = {"chance", BEST_SINGLE, "best per domain", EQUAL_COST, ZERO, "r_o(.5)", "oracle"}
    assert {one.name for one in usual.baselines} == baselines
    names = len(QUICK) + len(baselines)
    assert len(usual.differences) == names * (names - 1) // 2
    for one in usual.estimators:
        assert one.fit_s is not None
        assert len(one.setting) == 3
        assert one.ci95[0] < one.quality < one.ci95[1]


def test_the_scale_has_its_ends_where_they_belong(usual: Comparison) -> None:
    assert usual.row("chance").effective_p == pytest.approx(0.0)
    assert usual.row("oracle").effective_p == pytest.approx(1.0)
    assert usual.row("r_o(.5)").effective_p == pytest.approx(0.5)
    assert usual.row(BEST_SINGLE).v_b == 1.0
    assert usual.row(BEST_SINGLE).e_p == 0.0
    random = usual.row("random")
    assert random.effective_p == pytest.approx(0.0, abs=0.15)
    assert random.e_p > 1.9


def test_what_can_be_learnt_is_learnt_and_the_winner_is_it(usual: Comparison) -> None:
    assert usual.winner in {"knn", "ridge"}
    found = usual.row(usual.winner)
    assert found.over_best_single is not None
    assert found.over_best_single.ci95[0] > 0.0
    assert found.quality > usual.row("length").quality


def test_money_is_judged_on_one_range_for_all(usual: Comparison) -> None:
    low, high = usual.protocol.cost_range or (0.0, 0.0)
    costs = [arm.cost for arm in usual.arms]
    assert (low, high) == (min(costs), max(costs))
    knn, zero = usual.row("knn").savings, usual.row(ZERO).savings
    assert knn is not None
    assert zero is not None
    assert knn.aiq is not None
    assert zero.aiq is not None
    assert knn.aiq > zero.aiq
    equal = usual.row(EQUAL_COST)
    assert equal.cost is not None
    assert equal.cost <= (usual.row(usual.winner).cost or 0.0) * 1.05
    assert usual.row("knn").over_equal_cost_arm is not None


def test_aiq_has_an_interval_and_a_paired_difference_to_the_blind_mix(usual: Comparison) -> None:
    for name in ("knn", "ridge"):
        held = usual.row(name)
        assert held.savings is not None
        assert held.savings.aiq is not None
        assert held.savings.aiq_ci95 is not None
        low, high = held.savings.aiq_ci95
        assert low < held.savings.aiq < high
        lead = held.aiq_over_zero
        assert lead is not None
        assert lead.figure == "aiq"
        assert lead.ci95[0] > 0.0


def test_drop_advantage_and_pgr_are_measured_from_the_cheapest_and_the_best_arm(
    usual: Comparison,
) -> None:
    single = usual.row(BEST_SINGLE)
    assert (single.pgr, single.quality_drop, single.cost_advantage) == (1.0, 0.0, 0.0)
    knn = usual.row("knn")
    assert knn.quality_drop == pytest.approx(single.quality - knn.quality)
    assert knn.cost is not None
    assert single.cost is not None
    assert knn.cost_advantage == pytest.approx(1.0 - knn.cost / single.cost)
    assert knn.pgr is not None
    assert knn.pgr > 1.0
    two = compared(drawn_scores(300, 2), names=("knn",)).row("knn")
    assert two.cost_advantage == pytest.approx(two.choices["arm0"])


def test_a_router_that_is_one_arm_is_compared_with_that_arm() -> None:
    """Not with a cheaper one, only since costs of other rows were a little higher."""
    quality = np.column_stack([np.full(150, 0.3), np.full(150, 0.9), np.full(150, 0.6)])
    draw = np.random.default_rng(5)
    cost = (1.0 + draw.random((150, 3))) * [1e-5, 1e-3, 1e-4]
    found = compared(replace(drawn_scores(150, 3), quality=quality, cost_usd=cost))
    for name in ("knn", "ridge"):
        held = found.row(name)
        assert held.choices["arm1"] == 1.0
        assert held.over_equal_cost_arm is not None
        assert held.over_equal_cost_arm.difference == pytest.approx(0.0)
    cheap = found.row("random").over_equal_cost_arm
    assert cheap is not None
    assert cheap.difference == pytest.approx(found.row("random").quality - 0.6)


def test_what_a_served_bundle_would_reach_stands_beside_the_estimators_own_figures(
    usual: Comparison,
) -> None:
    """A domain out of scope is answered by the best single arm; no other figure changes."""
    table = drawn_scores(400, 4)
    unread = np.array([name == "domain0" for name in table.domains])
    found = compared(table, plan=replace(PLAN, scope=Scope(outside=unread, limit=0.3)))
    assert (found.protocol.n_out_of_scope, found.protocol.unknown_token_limit) == (
        unread.sum(),
        0.3,
    )
    share = {name: table.domains.count(name) / 400 for name in set(table.domains)}
    single = found.row(BEST_SINGLE)
    for one in (*found.estimators, *found.baselines):
        held = {**one.by_domain, "domain0": single.by_domain["domain0"]}
        served = sum(share[name] * quality for name, quality in held.items())
        assert one.served_quality == pytest.approx(served)
        before = usual.row(one.name)
        assert (one.quality, one.ci95, one.ece) == (before.quality, before.ci95, before.ece)
        assert before.served_quality is None
    assert single.served_quality == pytest.approx(single.quality)
    assert found.row("knn").served_quality < found.row("knn").quality - 0.02
    assert "out of scope" in str(found.protocol.scope_in_words)
    assert (usual.protocol.n_out_of_scope, usual.protocol.scope_in_words) == (None, None)


def test_served_quality_averages_over_domains_where_quality_does() -> None:
    table = drawn_scores(300, 3)
    unread = np.array([name == "domain1" for name in table.domains])
    plan = replace(PLAN, average="domains", scope=Scope(outside=unread, limit=0.3))
    found = compared(table, plan=plan)
    for one in found.estimators:
        held = {**one.by_domain, "domain1": found.row(BEST_SINGLE).by_domain["domain1"]}
        assert one.served_quality == pytest.approx(sum(held.values()) / 3)
    readable = Scope(outside=np.zeros(300, dtype=np.bool_), limit=0.3)
    plain = compared(table, plan=replace(plan, scope=readable))
    assert plain.protocol.n_out_of_scope == 0
    assert all(one.served_quality == pytest.approx(one.quality) for one in plain.estimators)
    assert not plain.shows_served


def test_a_scope_of_other_rows_is_refused() -> None:
    short = Scope(outside=np.zeros(7, dtype=np.bool_), limit=0.3)
    with pytest.raises(DataError, match="of 7 rows, and there are 150"):
        compared(drawn_scores(150, 3), plan=replace(PLAN, scope=short))


def test_the_winner_is_chosen_by_quality_for_cost_where_costs_differ() -> None:
    """Both always call the dearest arm, which is best; only one knows where cheap ones would do."""
    table = drawn_scores(500, 3)
    quality = table.quality.copy()
    quality[:, 2] = 1.0
    table = replace(table, quality=quality)
    by_cost = compared(table, names=("random", "length", "knn"))
    assert by_cost.protocol.objective == "aiq"
    assert by_cost.winner == "knn"
    alike = replace(PLAN, objective="quality")
    by_quality = compared(table, names=("random", "length", "knn"), plan=alike)
    assert by_quality.protocol.objective == "quality"
    for name in ("length", "knn"):
        assert by_quality.row(name).select_value == pytest.approx(1.0)


def test_equals_are_decided_for_estimates_that_can_be_weighed_and_against_chance() -> None:
    table = replace(drawn_scores(150, 3), quality=np.full((150, 3), 0.4), cost_usd=None)
    assert compared(table, names=("random", "mf", "length")).winner == "length"


def test_what_always_stands_cannot_win() -> None:
    records = records_of(drawn_scores(300, 3))
    queries = queries_of(records.table)
    beside = standing_beside(["length", "sw"])
    assert {one.name for one in beside} == {"random", "knn", "ridge", "ridge-length"}
    ended = contest(
        records, queries, contenders_of(("length",)), replace(PLAN, seeds=1), standing=beside
    )
    assert ended.winner.name == ended.found.winner == "length"
    assert [one.name for one in ended.found.estimators] == ["length"]
    knn = next(one for one in ended.found.baselines if one.name == "knn")
    assert knn.quality > ended.found.row("length").quality
    assert knn.fit_s is not None


def test_the_settings_that_won_most_often_are_kept() -> None:
    records = records_of(drawn_scores(300, 3))
    ended = contest(records, queries_of(records.table), contenders_of(("knn",)), PLAN)
    usual = max(set(ended.winner.setting), key=ended.winner.setting.count)
    assert ended.winner.estimator is not None
    assert ended.winner.estimator.name == usual.replace("k ", "knn-")


def test_rates_between_zero_and_one_have_ece_and_brier() -> None:
    table = drawn_scores(300, 3)
    rates = replace(table, quality=np.clip(table.quality * 0.8 + 0.1, 0.0, 1.0))
    held = compared(rates, names=("knn",)).row("knn")
    assert held.ece is not None
    assert held.brier is not None
    assert 0.0 < held.brier < 0.25


def test_each_runs_quality_is_averaged_as_the_whole_is() -> None:
    table = drawn_scores(300, 3)
    lop = np.array([row for row, name in enumerate(table.domains) if name != "domain0" or row < 60])
    table = table.select(lop)
    found = compared(table, table, plan=replace(PLAN, held_out="prompts", average="domains"))
    for name in ("knn", BEST_SINGLE):
        held = found.row(name)
        assert np.mean(held.quality_by_run) == pytest.approx(held.quality, abs=0.03)


def test_the_same_seed_gives_the_same_numbers(usual: Comparison) -> None:
    again = compared(drawn_scores(400, 4))
    for one, other in zip(usual.estimators, again.estimators, strict=True):
        assert (one.name, one.quality, one.ci95) == (other.name, other.quality, other.ci95)


def test_given_rows_and_whole_domains_can_be_held_out() -> None:
    given = compared(
        drawn_scores(200, 3), drawn_scores(150, 3, seed=9), plan=replace(PLAN, held_out="given")
    )
    assert given.protocol.judged_rows == 150 - given.protocol.duplicates
    apart = compared(drawn_scores(300, 3, domains=6), plan=replace(PLAN, held_out="domains"))
    assert apart.protocol.resampled == "domains, then rows"


def test_two_arms_have_the_threshold_routers_figures() -> None:
    """The cheaper arm is the edge."""
    found = compared(drawn_scores(400, 2, domains=4), names=("knn", "random"))
    held = found.row("knn").two_arms
    assert held is not None
    assert (held.edge, held.cloud) == ("arm0", "arm1")
    blind = found.row("random").two_arms
    assert blind is not None
    assert held.apgr is not None
    assert blind.apgr is not None
    assert held.apgr > blind.apgr + 0.1


def test_without_costs_nothing_is_said_of_them() -> None:
    table = replace(drawn_scores(200, 3), cost_usd=None)
    found = compared(table)
    assert "state no costs" in str(found.protocol.no_cost)
    assert {one.name for one in found.baselines}.isdisjoint({ZERO, EQUAL_COST})
    assert all(one.cost is None and one.savings is None for one in found.estimators)


@pytest.mark.parametrize("price", [0.0, 0.25])
def test_costs_that_are_zero_or_all_alike_have_no_range(price: float) -> None:
    found = compared(drawn_scores(200, 3), prices={f"arm{at}": price for at in range(3)})
    assert found.protocol.cost_range is None
    assert found.row("knn").savings is None
    assert found.row("knn").cost == pytest.approx(price)


def test_equal_outcomes_have_no_effective_p() -> None:
    table = replace(drawn_scores(150, 3), quality=np.full((150, 3), 0.4))
    found = compared(table)
    for one in (*found.estimators, *found.baselines):
        assert one.quality == pytest.approx(0.4)
        assert one.effective_p is None


def test_one_arm_always_best_is_found_by_all_that_learn() -> None:
    quality = np.column_stack([np.full(150, 0.9), np.linspace(0.0, 0.8, 150), np.zeros(150)])
    found = compared(replace(drawn_scores(150, 3), quality=quality), names=("knn", "ridge"))
    for one in found.estimators:
        assert one.effective_p == pytest.approx(1.0)
        assert one.choices["arm0"] == 1.0
        assert one.over_best_single is not None
        assert one.over_best_single.difference == pytest.approx(0.0)


def test_scores_outside_zero_and_one_are_judged_in_their_own_unit() -> None:
    table = drawn_scores(300, 3)
    usual = compared(table, names=("knn",))
    moved = compared(replace(table, quality=10.0 * table.quality - 7.0), names=("knn",))
    one, other = usual.row("knn"), moved.row("knn")
    assert other.quality == pytest.approx(10.0 * one.quality - 7.0)
    assert other.effective_p == pytest.approx(one.effective_p)
    assert (one.ece is None, other.ece is None) == (False, True)
    assert other.v_b is None or other.quality > 0.0


def test_missing_cells_stay_missing() -> None:
    table = drawn_scores(300, 4)
    draw = np.random.default_rng(3)
    quality = table.quality.copy()
    quality[draw.random(quality.shape) < 0.3] = np.nan
    quality[np.isnan(quality).all(axis=1), 0] = 1.0
    found = compared(replace(table, quality=quality))
    assert sum(arm.missing for arm in found.arms) == np.isnan(quality).sum()
    assert found.protocol.scaling_rows == (~np.isnan(quality).any(axis=1)).sum()
    assert found.row("oracle").quality == pytest.approx(np.nanmax(quality, axis=1).mean())


def test_duplicates_that_differ_are_judged_once() -> None:
    table = drawn_scores(200, 3)
    twice = table.select(np.concatenate([np.arange(200), np.arange(40)]))
    quality = twice.quality.copy()
    quality[200:] = 1.0 - quality[200:]
    found = compared(replace(twice, quality=quality))
    assert (found.protocol.duplicates, found.protocol.conflicts) == (40, 40)
    assert found.protocol.judged_rows <= 200


def test_a_thousand_arms() -> None:
    draw = np.random.default_rng(0)
    quality = (draw.random((120, 1000)) < draw.random(1000)).astype(float)
    found = compared(scores(quality), names=("knn", "ridge"))
    assert len(found.arms) == 1000
    assert found.scaling_up is not None
    assert found.scaling_up.sizes[-1] == 1000


def test_an_estimator_that_cannot_be_fitted_is_left_out_with_its_reason() -> None:
    class Fails:
        name = "fails"

        def fit(self, queries: object, quality: object, *, seed: int) -> None:
            raise DataError("it never works")

    records = records_of(drawn_scores(150, 3))
    from hybridroute.training.judging.setting_search import Contender

    fails = Contender(name="fails", settings=(("one", Fails()),))  # type: ignore[arg-type]
    queries = queries_of(records.table)
    found = contest(records, queries, (*contenders_of(("knn",)), fails), PLAN).found
    assert found.protocol.notes == ("fails is left out: it never works",)
    with pytest.raises(ConfigError, match="no estimator could be fitted.*it never works"):
        contest(records, queries, (fails,), PLAN)


def test_names_that_stand_twice_or_are_unknown_are_refused() -> None:
    with pytest.raises(ConfigError, match="one or more different ones"):
        compared(drawn_scores(100, 3), names=("knn", "knn"))
    with pytest.raises(ConfigError, match="no estimator 'oak'"):
        contenders_of(("oak",))
