"""What an answer cost and saved, and what is not claimed where a price is unknown."""

from __future__ import annotations

from typing import Any

import pytest
from sdk_fakes import FakeArm, cloud_arm, edge_arm, manifest, user

from hybridroute.costs import Costs, estimated_usage
from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Usage
from hybridroute.edge_runtime.prices import Prices

USAGE = Usage(prompt_tokens=2000, completion_tokens=500, total_tokens=2500)


def priced(arm: FakeArm, prices: Prices | None) -> Any:
    arm.prices = prices  # type: ignore[attr-defined]
    return arm


DEAR = Prices(in_usd_per_million=10.0, out_usd_per_million=40.0)
CHEAP = Prices(in_usd_per_million=1.0, out_usd_per_million=2.0)


def decided(arm: str) -> Decision:
    return Decision(
        arm=arm,
        model="m",
        place="cloud",
        reason="highest_utility",
        mode="auto",
        score=None,
        score_kind=manifest().score_kind,
        threshold=None,
        setting_kind="dial",
        calibrated=True,
    )


def three() -> Costs:
    return Costs(
        [
            edge_arm(),
            priced(cloud_arm(name="mid"), CHEAP),
            priced(cloud_arm(name="big"), DEAR),
        ]
    )


def test_the_same_tokens_at_each_arm() -> None:
    found = three().at_each_arm(USAGE)
    assert found == {"edge": 0.0, "mid": pytest.approx(0.003), "big": pytest.approx(0.04)}


@pytest.mark.parametrize(("arm", "cost"), [("edge", 0.0), ("mid", 0.003), ("big", 0.04)])
def test_the_saving_is_against_the_dearest_arm(arm: str, cost: float) -> None:
    before = decided(arm)
    found = three().settled(before, USAGE, estimated=False)
    assert found.cost_usd == pytest.approx(cost)
    assert found.saved_usd == pytest.approx(0.04 - cost)
    assert (found.usage_estimated, found.id, before.cost_usd) == (False, before.id, None)


def test_an_estimate_is_said_to_be_one() -> None:
    assert three().settled(decided("mid"), USAGE, estimated=True).usage_estimated


@pytest.mark.parametrize("unknown", [cloud_arm(name="x"), priced(cloud_arm(name="x"), None)])
def test_one_unknown_price_leaves_no_saving_and_the_known_cost(unknown: Any) -> None:
    """The unknown one might be the dearest."""
    costs = Costs([priced(cloud_arm(name="big"), DEAR), unknown])
    assert costs.at_each_arm(USAGE) == {"big": pytest.approx(0.04), "x": None}
    known = costs.settled(decided("big"), USAGE, estimated=False)
    assert (known.cost_usd, known.saved_usd) == (pytest.approx(0.04), None)
    blind = costs.settled(decided("x"), USAGE, estimated=False)
    assert (blind.cost_usd, blind.saved_usd) == (None, None)


def test_an_arm_that_is_not_among_them_has_no_cost() -> None:
    found = three().settled(decided("gone"), USAGE, estimated=False)
    assert (found.cost_usd, found.saved_usd) == (None, None)


def test_on_the_device_nothing_is_paid_unless_a_price_is_named() -> None:
    assert Costs([edge_arm()]).at_each_arm(USAGE) == {"edge": 0.0}
    assert Costs([priced(edge_arm(), CHEAP)]).at_each_arm(USAGE) == {"edge": pytest.approx(0.003)}


@pytest.mark.parametrize(("answer_bytes", "tokens"), [(0, 0), (1, 1), (4, 1), (5, 2), (400, 100)])
def test_tokens_nobody_counted_are_a_quarter_of_the_bytes(answer_bytes: int, tokens: int) -> None:
    request = ChatRequest(messages=tuple(user("four" * 5)))
    found = estimated_usage(request, answer_bytes)
    assert (found.prompt_tokens, found.completion_tokens) == (3 + 4 + 5, tokens)
    assert found.total_tokens == found.prompt_tokens + found.completion_tokens
