"""PoolPolicy: a setting -> the weight of a dollar, and what is expected of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pool_fakes import NAMES, pool, weight_table

from hybridroute.edge_runtime.errors import BundleError, ConfigError
from hybridroute.pool_policy import PoolPolicy
from hybridroute.promise import Promise
from hybridroute.setting import Setting

MODELS = {name: f"{name}-1" for name in NAMES}


def charges(setting: Setting, **changes: object) -> tuple[float, ...]:
    return PoolPolicy(pool(**changes), "quality", MODELS).activate(setting).charges.of(7)


def test_a_dial_is_its_own_entry_of_the_table() -> None:
    assert charges(Setting(dial=0.25)) == pytest.approx((0.0, 0.075, 0.75))
    expected = PoolPolicy(pool(), "quality", MODELS).expect(Setting(dial=0.25))
    assert expected.cost_usd == pytest.approx(0.0025)
    assert expected.cost_advantage == pytest.approx(0.75)
    assert expected.quality == pytest.approx(0.5)
    assert expected.quality_drop == pytest.approx(0.3)
    assert expected.threshold is None
    assert expected.to_dict()["setting"] == {"kind": "dial", "value": 0.25}


def test_a_cost_advantage_and_a_budget_are_two_ways_to_say_one_thing() -> None:
    policy = PoolPolicy(pool(), "quality", MODELS)
    by_share = policy.activate(Setting(cost_advantage=0.6)).charges
    assert policy.activate(Setting(budget_usd=0.004)).charges == by_share
    assert policy.expect(Setting(budget_usd=0.004)).cost_usd == pytest.approx(0.004)
    assert policy.expect(Setting(budget_usd=5.0)).cost_advantage == pytest.approx(0.0)


def test_a_budget_below_the_cheapest_is_refused() -> None:
    table = weight_table()
    dear = type(table)(
        cost_weight=table.cost_weight,
        cost_usd=tuple(cost + 0.001 for cost in table.cost_usd),
        quality=table.quality,
    )
    with pytest.raises(ConfigError, match=r"cheapest that these arms can do is 0\.001"):
        charges(Setting(budget_usd=0.0005), advantage=dear)


def test_a_cost_weight_needs_qualities() -> None:
    assert charges(Setting(cost_weight=20.0)) == pytest.approx((0.0, 0.02, 0.2))
    with pytest.raises(ConfigError, match="of the kind margin"):
        PoolPolicy(pool(), "margin", MODELS).activate(Setting(cost_weight=20.0))


@pytest.mark.parametrize(
    "setting", [Setting(threshold=0.5), Setting(promise=Promise(max_drop=0.1))]
)
def test_what_is_for_two_arms_is_refused(setting: Setting) -> None:
    with pytest.raises(ConfigError, match="estimates each of its 3 arms, so there is no score"):
        charges(setting)


def test_a_pool_of_two_has_no_threshold_either() -> None:
    two = pool(arms=pool().arms[1:])
    with pytest.raises(ConfigError, match="gives two arms one score; .* estimates each of its 2"):
        PoolPolicy(two, "quality", MODELS).activate(Setting(threshold=0.5))


def test_where_nobody_has_judged_the_choices_costs_alone_are_expected() -> None:
    bare = replace(weight_table(), quality=())
    policy = PoolPolicy(
        pool(flat=True, flat_reason="nobody has judged", dial=bare, advantage=bare),
        "quality",
        MODELS,
    )
    expected = policy.expect(Setting(budget_usd=0.004))
    assert expected.cost_usd == pytest.approx(0.004)
    assert (expected.quality, expected.quality_drop) == (None, None)
    assert expected.reason == "nobody has judged"
    with pytest.raises(BundleError, match="states no qualities"):
        pool(dial=bare)


def test_a_flat_pool_has_no_dial() -> None:
    flat = pool(flat=True, flat_reason="all arms cost the same")
    policy = PoolPolicy(flat, "quality", MODELS)
    with pytest.raises(ConfigError, match="all arms cost the same"):
        policy.activate(Setting(dial=0.5))
    assert policy.activate(policy.default).charges.of(1) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "models", [{**MODELS, "big": "big-2"}, {"tiny": "tiny-1", "small": "small-1"}, {}]
)
def test_of_other_models_nothing_is_expected(models: dict[str, str]) -> None:
    policy = PoolPolicy(pool(), "quality", models)
    assert not policy.calibrated
    expected = policy.expect(Setting(dial=0.5))
    assert (expected.quality, expected.cost_usd) == (None, None)
    assert "big = big-1" in (expected.reason or "")


@pytest.mark.parametrize(
    ("setting", "order"),
    [
        (Setting(dial=0.0), "cheapest"),
        (Setting(cost_advantage=1.0), "cheapest"),
        (Setting(dial=1.0), None),
    ],
)
def test_the_cheap_end_is_an_order(setting: Setting, order: str | None) -> None:
    assert PoolPolicy(pool(), "quality", MODELS).activate(setting).order == order
