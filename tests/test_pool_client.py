"""HybridClient over a pool of arms: the same client, the same calls."""

from __future__ import annotations

from typing import Any

import pytest
from pool_fakes import FakePoolScorer, pool_arms, pool_bundle
from sdk_fakes import FakeArm, bundle, user

from hybridroute.client import HybridClient
from hybridroute.edge_runtime.errors import ArmUnavailable, ConfigError
from hybridroute.edge_runtime.protocols import Capabilities
from hybridroute.setting import Setting


def client(*, scorer: FakePoolScorer | None = None, **asked: Any) -> HybridClient:
    return HybridClient(pool_bundle(scorer), arms=asked.pop("arms", pool_arms()), **asked)


def test_the_largest_utility_answers_and_every_estimate_is_shown() -> None:
    held = client(dial=0.5)  # a weight of 50: charges 0, 0.05, 0.5
    decision = held.route(user("0.5 0.6 0.9 easy"))
    assert (decision.arm, decision.model, decision.reason) == (
        "small",
        "small-1",
        "highest_utility",
    )
    assert (decision.score, decision.threshold) == (None, None)
    assert list(decision.estimates) == ["tiny", "small", "big"]
    big = decision.estimates["big"]
    assert (big.mean, big.uncertainty, big.charge) == pytest.approx((0.9, 0.3, 0.5))
    assert big.utility == pytest.approx(0.4)
    assert "small 0.600 - 0.050, tiny 0.500, big 0.900 - 0.500" in decision.explain()
    assert decision.to_dict()["estimates"]["tiny"]["mean"] == 0.5
    assert held.threshold is None
    assert held.calibrated


def test_the_dial_turns_the_same_query() -> None:
    held = client()
    picked = {}
    for dial in (0.0, 0.5, 1.0):
        held.dial = dial
        picked[dial] = held.route(user("0.5 0.6 0.9 easy")).arm
    assert picked == {0.0: "tiny", 0.5: "small", 1.0: "big"}
    held.setting = Setting(cost_weight=1000.0)
    assert held.route(user("0.5 0.6 0.9 easy")).arm == "tiny"


def test_an_answer_carries_its_decision_and_falls_back_within_the_pool() -> None:
    arms = pool_arms()
    arms[0].fails = ArmUnavailable("away", arm="big")
    with client(arms=arms, dial=1.0) as held:
        answer = held.chat.completions.create(messages=user("0.1 0.5 0.9 hard"))
    assert answer.hybridroute.fallback_from == "big"
    assert answer.hybridroute.fallback_from_place == "cloud"
    assert answer.hybridroute.arm in ("tiny", "small")


def test_left_out_arms_are_not_picked_but_shown() -> None:
    arms = pool_arms()
    arms[0].capabilities = Capabilities(tools=False)
    decision = client(arms=arms, dial=1.0).route(
        user("0.1 0.5 0.9 hard"), tools=[{"type": "function", "function": {"name": "f"}}]
    )
    assert decision.arm == "small"
    assert decision.left_out == {"big": "it takes no tools"}
    assert "big" in decision.estimates
    assert "big" not in decision.explain()


def test_a_mode_keeps_a_place_out() -> None:
    decision = client(mode="only_on_device", dial=1.0).route(user("0.1 0.5 0.9 hard"))
    assert decision.arm == "small"
    assert decision.left_out == {"big": "the mode is only_on_device"}
    decision = client(mode="prefer_on_device", dial=1.0).route(user("0.1 0.5 0.9 hard"))
    assert (decision.arm, decision.left_out) == ("small", {})
    decision = client(mode="prefer_in_cloud", dial=0.0).route(user("0.1 0.5 0.9 hard"))
    assert (decision.arm, decision.reason) == ("big", "mode_prefer_in_cloud")


def test_a_part_of_the_pool_routes_uncalibrated() -> None:
    held = client(arms=pool_arms()[:2], dial=1.0)
    decision = held.route(user("0.1 0.5 0.9 hard"))
    assert decision.arm == "big"
    assert decision.left_out == {"small": "it is not configured"}
    assert not decision.calibrated
    assert held.expect().quality is None


def test_unknown_scripts_go_to_the_best_single_arm() -> None:
    class Lost(FakePoolScorer):
        def assess(self, text: str) -> Any:
            from dataclasses import replace

            return replace(super().assess(text), unknown_share=0.9)

    decision = client(scorer=Lost(), dial=0.0).route(user("что"))
    assert (decision.arm, decision.reason) == ("big", "out_of_scope")


def test_a_conversation_goes_up_at_once_and_down_slowly() -> None:
    held = client(dial=1.0)

    def ask(text: str) -> str:
        answer = held.chat.completions.create(messages=user(text), session="s")
        return answer.hybridroute.arm

    hard, easy = "0.1 0.5 0.9 a new question", "0.1 0.9 0.5 a new question"
    assert [ask(text) for text in (easy, hard, easy, easy)] == ["small", "big", "big", "small"]


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        ([], "give them as arms="),
        ([FakeArm(name="other", model="m", place="device")], "is none of the bundle's"),
        (pool_arms()[:1] * 2, "is given twice"),
    ],
)
def test_arms_that_are_not_the_bundles(arms: list[FakeArm], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        client(arms=arms)


def test_arms_for_a_bundle_of_two() -> None:
    with pytest.raises(ConfigError, match="routes between two, 'edge' and 'cloud'"):
        HybridClient(bundle(), arms=pool_arms())
    with pytest.raises(ConfigError, match="not both"):
        HybridClient(pool_bundle(), arms=pool_arms(), edge="smollm2-135m")
    pair = [
        FakeArm(name="edge", model="small-1", place="device"),
        FakeArm(name="cloud", model="large-1", place="cloud"),
    ]
    held = HybridClient(bundle(), arms=pair, threshold=0.5)
    assert held.route(user("0.4 text")).arm == "cloud"
    assert held.calibrated
