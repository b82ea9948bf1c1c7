"""What a setting is expected to do, in words: of two arms, of a pool, of a promise, of nothing."""

from __future__ import annotations

from typing import Any

import pytest
from pool_fakes import pool_arms, pool_bundle
from sdk_fakes import bundle, cloud_arm, edge_arm

from hybridroute import HybridClient, Setting
from hybridroute.cli.expected_words import expected_line
from hybridroute.expectation import Expectation
from hybridroute.promise import StandingPromise


def said(expected: Expectation) -> str:
    return expected_line(expected.to_dict())


def pair(**given: Any) -> HybridClient:
    return HybridClient(bundle(), **{"edge": edge_arm(), "cloud": cloud_arm(), **given})


def test_two_arms_share_queries() -> None:
    assert said(pair(dial=0.5).expect()) == (
        "on average 60% of queries stay on the edge, mean quality 0.600, 0.150 below all-cloud "
        "(500 queries: test rows)"
    )
    assert "0.050 above all-cloud" in said(pair(dial=1.0).expect())


@pytest.mark.parametrize(
    "setting",
    [
        Setting(cost_advantage=0.4),
        Setting(budget_usd=0.006),
        Setting(cost_weight=40.0),
        Setting(dial=0.6),
    ],
    ids=str,
)
def test_a_pool_saves_money(setting: Setting) -> None:
    client = HybridClient(pool_bundle(), arms=pool_arms(), setting=setting)
    assert said(client.expect()) == (
        "on average 40% of what the dearest arm would cost is saved, 0.006 USD a query, mean "
        "quality 0.640, 0.160 below the dearest arm alone (500 queries: test rows)"
    )


def test_other_models_give_the_reason_alone() -> None:
    line = said(pair(edge=edge_arm(model="other")).expect())
    assert line.startswith("no expectation, since the bundle was calibrated for")
    assert "None" not in line


def test_a_promise_names_drop_bound_and_confidence() -> None:
    promise = StandingPromise(
        kind="relative",
        max_drop=0.02,
        confidence=0.9,
        drop=0.0122,
        drop_bound=0.0192,
        cost_advantage=0.31,
        n=2212,
        source="rows",
    )
    setting = Setting(threshold=0.5)
    assert said(Expectation(setting=setting, calibrated=True, promise=promise)) == (
        "on average 31% of queries stay on the edge; drop +0.0122, at most 0.0192 with 90% "
        "confidence (relative, 2212 queries: rows)"
    )
