"""Router: mode, capability, scope, score, in that order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sdk_fakes import EDGE_MODEL, FakeArm, FakeScorer, cloud_arm, edge_arm, manifest, user

from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import ArmRefused, ConfigError, NoCapableArm, RequestError
from hybridroute.edge_runtime.protocols import Capabilities
from hybridroute.modes import checked_mode
from hybridroute.router import Router
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy

IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}


def _router(*arms: Any, scorer: FakeScorer | None = None, **changes: Any) -> Router:
    held = arms or (edge_arm(), cloud_arm())
    return Router(scorer=scorer or FakeScorer(), manifest=manifest(), arms=held, **changes)


def _decide(router: Router, text: str | list[Any] = "0.5 text", **asked: Any) -> Decision:
    mode, always = asked.pop("mode", "auto"), asked.pop("always_score", False)
    active = ThresholdPolicy(router.manifest, [arm.model for arm in router.arms]).activate(
        Setting(threshold=asked.pop("threshold", 0.5))
    )
    request = ChatRequest(messages=({"role": "user", "content": text},), **asked)
    return router.decide(request, active, mode=mode, always_score=always)


@pytest.mark.parametrize(
    ("score", "arm", "reason"),
    [
        ("0.6", "edge", "score_at_or_above_threshold"),
        ("0.5", "edge", "score_at_or_above_threshold"),
        ("0.4", "cloud", "score_below_threshold"),
    ],
)
def test_edge_if_score_reaches_the_threshold(score: str, arm: str, reason: str) -> None:
    decision = _decide(_router(), f"{score} text")
    assert (decision.arm, decision.reason) == (arm, reason)
    assert decision.score == float(score)
    assert decision.threshold == 0.5
    assert decision.model == {"edge": "small-1", "cloud": "large-1"}[arm]
    assert decision.setting_kind == "threshold"
    assert decision.left_out == {}
    assert decision.latency_ms >= decision.score_ms


@pytest.mark.parametrize("score", [0.0, 0.3, 0.5, 0.7, 1.0])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.5, 1.01])
def test_of_two_arms_the_estimates_say_what_the_threshold_does(
    score: float, threshold: float
) -> None:
    decision = _decide(_router(), f"{score} text", threshold=threshold)
    edge, cloud = decision.estimates["edge"], decision.estimates["cloud"]
    assert (edge.mean, edge.charge) == (score, threshold)
    assert (cloud.mean, cloud.charge) == (0.0, 0.0)
    best = max(decision.estimates, key=lambda name: decision.estimates[name].utility)
    assert best == decision.arm == ("edge" if score >= threshold else "cloud")
    assert list(decision.to_dict()["estimates"]) == ["edge", "cloud"]


def test_above_one_even_a_perfect_score_goes_to_the_cloud() -> None:
    assert _decide(_router(), "1.0 text", threshold=1.01).arm == "cloud"
    assert _decide(_router(), "0.0 text", threshold=0.0).arm == "edge"


@pytest.mark.parametrize(("mode", "arm"), [("only_on_device", "edge"), ("only_in_cloud", "cloud")])
def test_a_mode_decides_unscored(mode: str, arm: str) -> None:
    scorer = FakeScorer()
    decision = _decide(_router(scorer=scorer), mode=mode)
    assert (decision.arm, decision.reason, decision.mode) == (arm, f"mode_{mode}", mode)
    assert decision.score is None
    assert decision.unknown_share is None
    assert scorer.texts == []
    assert list(decision.left_out.values()) == [f"the mode is {mode}"]


def test_scoring_can_be_asked_for_where_it_changes_nothing() -> None:
    decision = _decide(_router(), "0.1 text", mode="only_on_device", always_score=True)
    assert (decision.arm, decision.score) == ("edge", 0.1)
    assert decision.reason == "mode_only_on_device"


@pytest.mark.parametrize(
    ("lacking", "asked", "why"),
    [
        ({"json_mode": True, "images": True}, {"tools": ({"type": "function"},)}, "no tools"),
        ({"tools": True}, {"response_format": {"type": "json_object"}}, "no JSON mode"),
        ({"tools": True}, {"text": [{"type": "text", "text": "0.9"}, IMAGE]}, "no images"),
        ({"tools": True}, {"extra": {"logit_bias": {"5": -100}}}, "no logit_bias"),
        ({"tools": True}, {"extra": {"web_search_options": {}}}, "no web search"),
        ({"context_tokens": 10}, {"text": "0.9 " + "word " * 10}, "need 12 tokens.*holds 10"),
        ({"context_tokens": 10}, {"max_tokens": 9}, "need 11 tokens and its context holds 10"),
    ],
)
def test_an_arm_that_cannot_serve_is_left_out_unscored(
    lacking: dict[str, Any], asked: dict[str, Any], why: str
) -> None:
    scorer = FakeScorer()
    router = _router(edge_arm(capabilities=Capabilities(**lacking)), cloud_arm(), scorer=scorer)
    decision = _decide(router, **asked)
    assert (decision.arm, decision.reason) == ("cloud", "only_capable_arm")
    assert scorer.texts == []
    with pytest.raises(NoCapableArm, match=rf"edge: .*{why}.*; |edge: .*{why}") as caught:
        _decide(router, mode="only_on_device", **asked)
    assert "cloud: the mode is only_on_device" in str(caught.value)


def test_a_prompt_that_just_fits_stays() -> None:
    router = _router(edge_arm(capabilities=Capabilities(context_tokens=10)), cloud_arm())
    assert _decide(router, "0.9 text", max_tokens=8).arm == "edge"


def test_a_json_schema_is_json_and_text_is_not() -> None:
    router = _router(edge_arm(capabilities=Capabilities()), cloud_arm())
    assert _decide(router, "0.9", response_format={"type": "json_schema"}).arm == "cloud"
    assert _decide(router, "0.9", response_format={"type": "text"}).arm == "edge"


def test_an_absent_arm_is_named_with_its_reason() -> None:
    router = _router(edge_arm(), absent={"cloud": "no cloud is configured"})
    decision = _decide(router, "0.1 hard")
    assert (decision.arm, decision.reason) == ("edge", "only_capable_arm")
    assert decision.left_out == {"cloud": "no cloud is configured"}


def test_unknown_text_goes_to_the_configured_arm() -> None:
    scorer = FakeScorer(unknown_share=0.31)
    assert _decide(_router(scorer=scorer), "0.9").arm == "cloud"
    decision = _decide(_router(scorer=scorer, out_of_scope_arm="edge"), "0.1")
    assert (decision.arm, decision.reason) == ("edge", "out_of_scope")
    assert (decision.score, decision.unknown_share) == (0.1, 0.31)


def test_the_limit_itself_is_in_scope() -> None:
    assert _decide(_router(scorer=FakeScorer(unknown_share=0.3)), "0.9").arm == "edge"


def test_an_image_alone_has_nothing_to_score() -> None:
    scorer = FakeScorer()
    decision = _decide(_router(scorer=scorer), [IMAGE], always_score=True)
    assert (decision.arm, decision.reason, decision.score) == ("cloud", "out_of_scope", None)
    assert scorer.texts == []


@pytest.mark.parametrize("text", ["", "  \n", "\x00", []])
def test_no_text_from_the_user_is_an_error(text: str | list[Any]) -> None:
    with pytest.raises(RequestError, match="no user message holds any text"):
        _decide(_router(), text)


def test_only_the_user_s_turns_are_scored() -> None:
    scorer = FakeScorer()
    router = _router(scorer=scorer)
    active = ThresholdPolicy(router.manifest, ()).activate(Setting(threshold=0.5))
    messages = ({"role": "system", "content": "be kind"}, *user("0.2 hard"))
    assert router.decide(ChatRequest(messages=messages), active).arm == "cloud"
    assert scorer.texts == ["0.2 hard"]
    with pytest.raises(RequestError):
        router.decide(ChatRequest(messages=messages[:1]), active)


def test_wrong_wiring_is_refused() -> None:
    with pytest.raises(ConfigError, match="distinct"):
        _router(edge_arm(), edge_arm())
    with pytest.raises(ConfigError, match="out_of_scope_arm is 'sky'"):
        _router(out_of_scope_arm="sky")
    with pytest.raises(ConfigError, match="mode is 'cloudy'; use one of auto"):
        checked_mode("cloudy")


def test_an_arm_that_refuses_the_messages_is_left_out() -> None:
    class Strict(FakeArm):
        def count_tokens(self, messages: Sequence[Message]) -> int:
            raise ArmRefused("its template knows no system role", arm=self.name)

    edge = Strict("edge", EDGE_MODEL, "device", Capabilities(context_tokens=64))
    decision = _decide(_router(edge, cloud_arm()), "0.9")
    assert (decision.arm, decision.reason) == ("cloud", "only_capable_arm")
    assert decision.left_out["edge"] == (
        "it cannot take the messages: its template knows no system role"
    )
