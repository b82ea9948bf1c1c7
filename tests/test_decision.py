"""Decision: a JSON object, one sentence, and what a fallback makes of it."""

from __future__ import annotations

import json

import pytest

from hybridroute.decision import Decision
from hybridroute.edge_runtime.errors import ArmUnavailable


def _decision(**changes: object) -> Decision:
    held = {
        "arm": "edge",
        "model": "small-1",
        "reason": "score_at_or_above_threshold",
        "mode": "auto",
        "score": 0.72,
        "score_kind": "label",
        "threshold": 0.5,
        "setting_kind": "dial",
        "dial": 0.7,
        "calibrated": True,
        "unknown_share": 0.0,
    }
    return Decision(**{**held, **changes})


def test_to_dict_is_json_with_every_field() -> None:
    body = json.loads(json.dumps(_decision(left_out={"cloud": "gone"}).to_dict()))
    assert body["left_out"] == {"cloud": "gone"}
    wanted = {"arm", "score", "score_kind", "threshold", "dial", "calibrated", "reason"}
    assert wanted | {"latency_ms", "id", "model", "fallback_from_place"} <= set(body)
    assert body["score"] == 0.72


def test_ids_differ() -> None:
    assert _decision().id != _decision().id


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "the score 0.720 is at or above the threshold 0.500 (dial 0.7)"),
        (
            {"reason": "score_below_threshold", "score": 0.2, "setting_kind": "threshold"}
            | {"dial": None},
            "the score 0.200 is below the threshold 0.500.",
        ),
        (
            {"setting_kind": "cost_advantage", "dial": None, "cost_advantage": 0.4},
            "(cost advantage 0.4)",
        ),
        ({"reason": "mode_only_on_device"} | {"mode": "only_on_device"}, "mode is only_on_device"),
        ({"reason": "out_of_scope", "unknown_share": 0.9}, "does not know 90% of the text"),
        ({"reason": "out_of_scope", "unknown_share": None}, "no text to score"),
        (
            {"reason": "only_capable_arm", "left_out": {"cloud": "it takes no tools"}},
            "no other arm can serve the request (cloud: it takes no tools)",
        ),
    ],
)
def test_explain(changes: dict[str, object], said: str) -> None:
    sentence = _decision(**changes).explain()
    assert sentence.startswith("edge (small-1) answers because ")
    assert said in sentence
    assert sentence.endswith(".")


def test_a_fallback_is_visible_and_keeps_the_rest() -> None:
    before = _decision(place="device")
    after = before.after_failure(ArmUnavailable("no route to host"), arm="cloud", model="large-1")
    assert (after.arm, after.model, after.reason) == ("cloud", "large-1", "fallback")
    assert (after.fallback_from, after.fallback_from_place) == ("edge", "device")
    assert after.fallback_error == "ArmUnavailable: no route to host"
    assert (after.score, after.id) == (before.score, before.id)
    assert "edge failed (ArmUnavailable: no route to host)" in after.explain()


def test_of_several_failures_the_first_is_named_and_all_are_left_out() -> None:
    after = (
        _decision(arm="big", place="cloud")
        .after_failure(ArmUnavailable("away"), arm="tiny", model="tiny-1", place="device")
        .after_failure(ArmUnavailable("too hot"), arm="small", model="small-1", place="device")
    )
    assert (after.fallback_from, after.fallback_from_place) == ("big", "cloud")
    assert after.fallback_error == "ArmUnavailable: away"
    assert list(after.left_out) == ["big", "tiny"]


def test_a_long_error_is_cut() -> None:
    after = _decision().after_failure(ArmUnavailable("x" * 5000), arm="cloud", model="m")
    assert after.fallback_error is not None
    assert len(after.fallback_error) == 300
