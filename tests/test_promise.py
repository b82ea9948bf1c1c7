"""Promise: what is asked, what a bundle holds of it, and what stands behind a decision."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sdk_fakes import CLOUD_MODEL, EDGE_MODEL, bundle, cloud_arm, edge_arm, manifest, user

from hybridroute.cli.assemble import setting_said
from hybridroute.client import HybridClient
from hybridroute.edge_runtime.errors import ArmUnavailable, BundleError, ConfigError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.edge_runtime.promises import DialBounds, PromiseRow, Promises
from hybridroute.promise import Promise, promise_from
from hybridroute.setting import Setting
from hybridroute.settings_sections import RouterSettings
from hybridroute.threshold_policy import ThresholdPolicy

PAIR = (EDGE_MODEL, CLOUD_MODEL)


def row(max_drop: float, confidence: float, threshold: float, **changes: object) -> PromiseRow:
    held = {
        "kind": "absolute",
        "feasible": True,
        "cost_advantage": 1.0 - threshold,
        "drop": max_drop / 2,
        "drop_bound": max_drop * 0.9,
        "test": "three-valued",
    }
    return PromiseRow(
        **{**held, **changes}, max_drop=max_drop, confidence=confidence, threshold=threshold
    )


def promises(*held: PromiseRow) -> Promises:
    return Promises(
        source="mine.jsonl",
        n=1000,
        n_seen_in_training=3,
        quality_low=0.0,
        quality_high=1.0,
        kept=held,
    )


HELD = promises(
    row(0.005, 0.9, 1.01, feasible=False, cost_advantage=0.0, needed_n=2400),
    row(0.01, 0.9, 0.8),
    row(0.02, 0.9, 0.6),
    row(0.02, 0.95, 0.7),
    row(0.05, 0.9, 0.3, kind="relative"),
    row(0.05, 0.95, 1.01, kind="relative", feasible=False),
)


def client(**changes: object) -> HybridClient:
    return HybridClient(
        bundle(promises=HELD), edge=edge_arm(), cloud=cloud_arm(), **{"dial": 0.5, **changes}
    )


@pytest.mark.parametrize("name", ["max_drop", "confidence"])
@pytest.mark.parametrize("bad", [0, 1, -0.1, 1.5, float("nan"), "0.1", True, None])
def test_alpha_and_confidence_lie_between_0_and_1(name: str, bad: object) -> None:
    with pytest.raises(ConfigError, match=name):
        Promise(**{"max_drop": 0.1, "confidence": 0.9, name: bad})


def test_settings_ask_for_a_promise_or_say_what_is_missing() -> None:
    assert promise_from(None) is None
    assert promise_from(0.02) == Promise(max_drop=0.02, confidence=0.9)
    assert promise_from(0.02, 0.95, "relative") == Promise(
        max_drop=0.02, confidence=0.95, drop_kind="relative"
    )
    assert promise_from(0.02, drop_kind="gap") == Promise(max_drop=0.02, drop_kind="gap")
    for given, said in (
        ((None, 0.9), "confidence belongs to a promise; give max_drop"),
        ((None, None, "gap"), "drop_kind belongs to a promise"),
        ((0.02, None, "total"), "drop_kind is 'total'; use one of absolute"),
        ((1.2,), "max_drop is 1.2"),
    ):
        with pytest.raises(ConfigError, match=said):
            promise_from(*given)


def test_a_dial_and_a_promise_are_two_ways_to_say_one_thing() -> None:
    asked = setting_said(RouterSettings(max_drop=0.02))
    assert asked == Setting(promise=Promise(max_drop=0.02))
    assert setting_said(RouterSettings(dial=0.3)) == Setting(dial=0.3)
    assert setting_said(RouterSettings()) is None
    with pytest.raises(ConfigError, match="not dial and promise"):
        setting_said(RouterSettings(dial=0.3, max_drop=0.02))


def test_a_promise_is_of_one_kind() -> None:
    assert Promise(max_drop=0.1).drop_kind == "absolute"
    for kind in ("absolute", "relative", "gap"):
        assert Promise(max_drop=0.1, drop_kind=kind).drop_kind == kind
    for wrong in ("total", True, None):
        with pytest.raises(ConfigError, match="drop_kind is .*; use one of absolute, relative"):
            Promise(max_drop=0.1, drop_kind=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "threshold"),
    [
        (Promise(max_drop=0.02), 0.6),
        (Promise(max_drop=0.02, confidence=0.93), 0.7),
        (Promise(max_drop=0.015), 0.8),
        (Promise(max_drop=0.3), 0.6),
        (Promise(max_drop=0.05, drop_kind="relative"), 0.3),
    ],
)
def test_the_nearest_promise_that_is_as_strict_stands(asked: Promise, threshold: float) -> None:
    active = ThresholdPolicy(manifest(promises=HELD), PAIR).activate(Setting(promise=asked))
    assert active.threshold == threshold
    assert active.promise is not None
    assert active.promise.max_drop <= asked.max_drop
    assert active.promise.confidence >= asked.confidence
    assert active.promise.n == 1000


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Promise(max_drop=0.005), "about 2400 would"),
        (
            Promise(max_drop=0.05, confidence=0.95, drop_kind="relative"),
            "more outcomes would not help",
        ),
        (Promise(max_drop=0.001), "strictest limit is 0.005"),
        (Promise(max_drop=0.02, confidence=0.99), "highest confidence 0.95"),
        (Promise(max_drop=0.02, drop_kind="gap"), "no promise of the kind 'gap'"),
    ],
)
def test_what_the_outcomes_do_not_support_is_refused(asked: Promise, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ThresholdPolicy(manifest(promises=HELD), PAIR).activate(Setting(promise=asked))


def test_a_bundle_without_calibration_or_promises_says_what_to_run() -> None:
    for changes in ({}, {"calibration": None}):
        with pytest.raises(ConfigError, match="hybridroute calibrate --outcomes FILE --max-drop"):
            ThresholdPolicy(manifest(**changes), PAIR).activate(
                Setting(promise=Promise(max_drop=0.02))
            )


def test_a_promise_never_stands_for_other_arms() -> None:
    with pytest.raises(ConfigError, match="small-2"):
        ThresholdPolicy(manifest(promises=HELD), ("small-2", CLOUD_MODEL)).activate(
            Setting(promise=Promise(max_drop=0.02))
        )


def test_out_of_scope_queries_must_go_to_the_cloud() -> None:
    with pytest.raises(ConfigError, match="out_of_scope_arm"):
        client(dial=Promise(max_drop=0.02), out_of_scope_arm="edge")


def test_the_client_takes_a_promise_where_it_takes_a_dial() -> None:
    held = client()
    assert held.dial == 0.5
    asked = Promise(max_drop=0.02, confidence=0.9)
    held.dial = asked
    assert held.dial == asked
    assert held.threshold == 0.6
    decision = held.route(user("0.7 easy"))
    assert (decision.arm, decision.setting_kind, decision.dial) == ("edge", "promise", None)
    assert decision.promise is not None
    assert "0.02 of quality lost with 0.9 confidence" in decision.explain()
    body = json.loads(json.dumps(decision.to_dict()))
    assert body["promise"]["max_drop"] == 0.02
    assert body["promise"]["drop_bound"] == pytest.approx(0.018)
    expected = held.expect()
    assert expected.promise == decision.promise
    assert expected.quality_drop == 0.01
    json.dumps(expected.to_dict())
    held.dial = 0.9
    assert held.route(user("0.7 easy")).promise is None


def test_a_request_may_ask_for_its_own() -> None:
    held = client()
    strict = held.route(user("0.7 x"), dial=Promise(max_drop=0.01))
    assert (strict.arm, strict.threshold) == ("cloud", 0.8)
    answer = held.chat.completions.create(messages=user("0.7 x"), dial=Promise(max_drop=0.02))
    assert answer.hybridroute.promise is not None
    assert held.dial == 0.5


def test_no_promise_stands_where_something_else_decides() -> None:
    held = client(dial=Promise(max_drop=0.02))
    assert held.route(user("0.7 x"), mode="only_on_device").promise is None
    failing = HybridClient(
        bundle(promises=HELD),
        edge=edge_arm(),
        cloud=cloud_arm(fails=ArmUnavailable("gone", arm="cloud")),
        dial=Promise(max_drop=0.02),
    )
    answer = failing.chat.completions.create(messages=user("0.1 hard"))
    assert answer.hybridroute.reason == "fallback"
    assert answer.hybridroute.promise is None


def test_a_bundle_keeps_its_promises_and_an_old_one_is_still_read() -> None:
    held = manifest(promises=HELD)
    assert Manifest.from_json(held.to_json()) == held
    old = json.loads(manifest().to_json())
    del old["promises"]
    old["schema_version"] = 1
    assert Manifest.from_json(json.dumps(old)).promises is None


def test_an_altered_promise_is_refused() -> None:
    with pytest.raises(BundleError, match="max_drop"):
        row(1.5, 0.9, 0.5)
    with pytest.raises(BundleError, match="kind"):
        row(0.5, 0.9, 0.5, kind="total")


def test_a_dial_s_expectation_carries_the_bound_that_the_bundle_holds() -> None:
    steps = [i / GRID for i in range(GRID + 1)]
    dial = DialBounds(
        confidence=0.9,
        cost_advantage=tuple(1.0 - d for d in steps),
        drop=tuple(0.35 * (1.0 - d) for d in steps),
        bounds=(None, *(0.4 * (1.0 - d) for d in steps[1:])),
    )
    held = bundle(promises=replace(HELD, dial=dial))
    with HybridClient(held, edge=edge_arm(), cloud=cloud_arm(), dial=0.25) as asked:
        said = asked.expect(dial=0.5).to_dict()
        assert said["drop_bound"] == pytest.approx(0.2)
        assert (said["drop_bound_confidence"], said["drop_bound_n"]) == (0.9, 1000)
        assert asked.expect().drop_bound == pytest.approx(0.3)
        assert asked.expect(dial=0.0).drop_bound is None
        assert asked.expect(threshold=0.4).drop_bound_confidence is None
        promise = asked.expect(dial=Promise(max_drop=0.02))
        assert (promise.drop_bound, promise.drop_bound_n) == (pytest.approx(0.018), 1000)
        share = asked.expect(dial=Promise(max_drop=0.05, drop_kind="relative"))
        assert (share.drop_bound, share.drop_bound_n) == (None, None)
    with HybridClient(held, edge=edge_arm(model="other"), cloud=cloud_arm()) as other:
        assert other.expect(dial=0.5).drop_bound is None
    with HybridClient(bundle(promises=HELD), edge=edge_arm(), cloud=cloud_arm()) as without:
        assert without.expect(dial=0.5).drop_bound is None


def test_a_column_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(BundleError, match=r"promises\.dial\.bounds has 3 entries"):
        full = (0.0,) * (GRID + 1)
        DialBounds(confidence=0.9, cost_advantage=full, drop=full, bounds=(0.1, None, 0.0))
