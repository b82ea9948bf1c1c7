"""The client under bad input, odd bundles, failing arms and several threads."""

from __future__ import annotations

import gc
import json
import math
import threading
import weakref
from typing import Any

import pytest
from sdk_fakes import (
    FakeArm,
    FakeScorer,
    answer,
    bundle,
    calibration,
    chunk,
    cloud_arm,
    contents,
    dial_table,
    edge_arm,
    user,
)

from hybridroute import ChatStream, HybridClient
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    ConfigError,
    ContextOverflow,
    EngineMissing,
    ModelMissing,
    NoCapableArm,
    RequestError,
    ScoringError,
    StreamInterrupted,
)
from hybridroute.edge_runtime.protocols import Capabilities

EASY, HARD = user("0.95 easy"), user("0.05 hard")


def _client(**given: Any) -> HybridClient:
    held = {"bundle": bundle(), "edge": edge_arm(), "cloud": cloud_arm(), **given}
    return HybridClient(held.pop("bundle"), **held)


def _ask(client: HybridClient, messages: Any, **given: Any) -> Any:
    """The last piece of the answer, streamed or whole: what carries text and Decision."""
    got = client.chat.completions.create(messages=messages, **given)
    return list(got)[-1] if isinstance(got, ChatStream) else got


def test_a_bundle_used_with_other_arms_says_uncalibrated_and_promises_nothing() -> None:
    client = _client(edge=edge_arm(model="other"), dial=0.25)
    decision = client.route(EASY)
    assert not decision.calibrated
    assert decision.threshold == 0.25, "a cloud share, by quantiles"
    assert not client.expect().calibrated
    assert client.expect().quality is None
    assert client.expect().cloud_share is None
    assert "calibrated for small-1 and large-1" in str(client.expect().reason)
    json.dumps(client.expect().to_dict())


def test_a_flat_curve_leaves_threshold_and_cost_advantage() -> None:
    flat = calibration(flat=True, flat_reason="the arms are level")
    with pytest.raises(ConfigError, match=r"flat \(the arms are level\)"):
        _client(bundle=bundle(calibration=flat), dial=0.5)
    client = _client(bundle=bundle(calibration=flat))
    assert client.cost_advantage == 0.5
    with pytest.raises(ConfigError, match="cost_advantage or threshold"):
        client.dial = 0.7
    with pytest.raises(ConfigError, match="flat"):
        _ask(client, EASY, dial=0.7)
    assert client.cost_advantage == 0.5
    assert _ask(client, EASY).hybridroute.arm == "edge"


def test_an_edge_that_is_better_overall_still_gains_from_some_cloud() -> None:
    """Dial 1 is the best this pair can do, not the cloud: 30 % cloud, better than either arm."""
    better_edge = calibration(
        edge_quality=0.7,
        cloud_quality=0.6,
        best_quality=0.75,
        dial=dial_table(edge=0.7, best=0.75, share=0.3, threshold=0.3),
    )
    client = _client(bundle=bundle(calibration=better_edge), dial=1.0)
    assert client.expect().cloud_share == pytest.approx(0.3)
    assert client.expect().quality_drop == pytest.approx(-0.15)
    assert client.route(user("0.4")).arm == "edge"
    assert client.route(user("0.2")).arm == "cloud"


def test_negative_qualities() -> None:
    negative = calibration(
        edge_quality=-3.0,
        cloud_quality=-2.0,
        best_quality=-2.0,
        dial=dial_table(edge=-3.0, best=-2.0),
    )
    client = _client(bundle=bundle(calibration=negative), dial=0.0)
    assert client.expect().quality_drop == pytest.approx(1.0)
    assert client.expect().quality_drop_relative == pytest.approx(0.5)
    client.dial = 1.0
    assert client.expect().quality_drop == pytest.approx(0.0)


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan, math.inf, True, "0.5", [0.5], 1j])
def test_a_dial_that_is_none(bad: Any) -> None:
    client = _client(dial=0.5)
    for use in (
        lambda: setattr(client, "dial", bad),
        lambda: _ask(client, EASY, dial=bad),
        lambda: client.route(EASY, dial=bad),
        lambda: client.expect(dial=bad),
        lambda: _client(dial=bad),
    ):
        with pytest.raises(ConfigError, match="dial is"):
            use()
    assert client.dial == 0.5


def test_a_dial_is_not_unset_by_none() -> None:
    client = _client(dial=0.5)
    with pytest.raises(ConfigError, match="none of them"):
        client.dial = None
    assert client.dial == 0.5


@pytest.mark.parametrize(
    "messages",
    [[], user(""), user("\x00\x00"), [{"role": "user"}], [{"role": "assistant", "content": "x"}]],
)
@pytest.mark.parametrize("stream", [False, True])
def test_nothing_said(messages: Any, stream: bool) -> None:
    with pytest.raises(RequestError):
        _ask(_client(), messages, stream=stream)


def test_a_long_prompt_leaves_out_the_small_context() -> None:
    text = "0.95 " + "word " * 40_000
    assert len(text) > 200_000
    small = edge_arm(capabilities=Capabilities(context_tokens=2048))
    decision = _ask(_client(edge=small), user(text)).hybridroute
    assert (decision.arm, decision.reason) == ("cloud", "only_capable_arm")
    assert "40002 tokens and its context holds 2048" in decision.left_out["edge"]
    with pytest.raises(NoCapableArm, match=r"edge: .*2048; cloud|cloud: .*; edge: .*2048"):
        _ask(_client(edge=small, cloud=None), user(text))
    assert _ask(_client(threshold=0.5), user(text)).hybridroute.arm == "edge", "it fits elsewhere"


@pytest.mark.parametrize("text", ["0.95 \ud800 lone", "0.95 \udfff", "0.9\x005 easy", "\x000.95"])
def test_lone_surrogates_and_nul_are_routed(text: str) -> None:
    answer_ = _ask(_client(threshold=0.5), user(text))
    assert answer_.hybridroute.arm == "edge"
    json.dumps(answer_.to_dict()).encode("utf-8")


def test_a_scorer_that_fails_is_a_typed_error() -> None:
    class Broken(FakeScorer):
        def assess(self, text: str) -> Any:
            raise ScoringError("the router failed")

    edge = edge_arm()
    with pytest.raises(ScoringError):
        _ask(_client(bundle=bundle(Broken()), edge=edge), EASY)
    assert edge.requests == []


ARMS_FAULTS = [
    ArmUnavailable("refused connection"),
    ArmTimeout("no answer in 5 s"),
    ArmRefused("wrong key", status=401),
    ArmRefused("no key: the environment variable K is not set"),
    ArmUnavailable("slow down", status=429),
    ArmUnavailable("broken", status=500),
    ContextOverflow("too long"),
    ArmError("not JSON"),
    EngineMissing("no engine"),
    ModelMissing("no model"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("error", ARMS_FAULTS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("failing", "messages", "standby"), [("edge", EASY, "cloud"), ("cloud", HARD, "edge")]
)
def test_fallback_both_ways_is_visible(
    failing: str, messages: Any, standby: str, error: Exception, stream: bool
) -> None:
    arms = {"edge": edge_arm(), "cloud": cloud_arm()}
    arms[failing].fails = error
    last = _ask(_client(**arms, threshold=0.5), messages, stream=stream)
    decision = last.to_dict()["hybridroute"]
    assert (decision["arm"], decision["reason"]) == (standby, "fallback")
    assert decision["model"] == arms[standby].model
    assert decision["fallback_from"] == failing
    assert decision["fallback_error"] == f"{type(error).__name__}: {error}"
    assert len(arms[failing].requests) == len(arms[standby].requests) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_bad_request_is_raised(stream: bool) -> None:
    edge, cloud = edge_arm(), cloud_arm(fails=ArmRefused("bad", arm="cloud", status=400))
    with pytest.raises(ArmRefused):
        _ask(_client(edge=edge, cloud=cloud, threshold=0.5), HARD, stream=stream)
    assert edge.requests == []


@pytest.mark.parametrize("stream", [False, True])
def test_when_both_fail_the_error_tells_of_both(stream: bool) -> None:
    edge = edge_arm(fails=ModelMissing("no model file"))
    cloud = cloud_arm(fails=ArmUnavailable("refused connection", arm="cloud"))
    with pytest.raises(ModelMissing, match="no model file") as caught:
        _ask(_client(edge=edge, cloud=cloud, threshold=0.5), HARD, stream=stream)
    assert "cloud failed: ArmUnavailable: refused connection" in caught.value.__notes__[0]


def test_no_fallback_after_the_first_token() -> None:
    script = [chunk(role="assistant"), chunk("Once"), StreamInterrupted("cut", arm="cloud")]
    edge = edge_arm()
    client = _client(edge=edge, cloud=cloud_arm(script=script), threshold=0.5)
    seen: list[Any] = []
    with pytest.raises(StreamInterrupted):
        for one in client.chat.completions.create(messages=HARD, stream=True):
            seen.append(one)  # noqa: PERF402 (what came before the error is to be kept)
    assert contents(seen) == ["Once"]
    assert {one.hybridroute.arm for one in seen} == {"cloud"}
    assert edge.requests == []


def test_an_abandoned_stream_is_cancelled() -> None:
    edge = edge_arm(script=answer(*"abcdef"))
    client = _client(edge=edge, threshold=0.5)
    stream = client.chat.completions.create(messages=EASY, stream=True)
    next(stream)
    opened = weakref.ref(edge.streams.pop())
    del stream
    gc.collect()
    assert opened() is None, "the client holds no stream that its user let go"
    assert _ask(client, EASY).hybridroute.arm == "edge"


def test_no_key_and_no_prompt_in_a_decision() -> None:
    cloud = cloud_arm(fails=ArmUnavailable("refused connection", arm="cloud"))
    decision = _ask(_client(cloud=cloud, threshold=0.5), user("0.05 my secret plan")).hybridroute
    assert "secret" not in json.dumps(decision.to_dict())
    assert "secret" not in decision.explain()


def test_threads_turn_the_dial_while_others_ask() -> None:
    """Every Decision holds a threshold that belongs to its own dial, never a mixture."""
    thresholds = dial_table().thresholds
    client = _client()
    stop, errors, seen = threading.Event(), [], []

    def turn() -> None:
        step = 0
        while not stop.is_set():
            client.dial = (step % 1001) / 1000
            step += 7

    def ask() -> None:
        try:
            for number in range(300):
                messages = user(f"{number / 300:.3f} text")
                decision = _ask(client, messages, stream=number % 2 == 0).hybridroute
                seen.append((decision.dial, decision.threshold, decision.score, decision.arm))
        except Exception as exc:  # a thread's error would be lost
            errors.append(exc)

    turners = [threading.Thread(target=turn) for _ in range(2)]
    askers = [threading.Thread(target=ask) for _ in range(4)]
    for thread in (*turners, *askers):
        thread.start()
    for thread in askers:
        thread.join()
    stop.set()
    for thread in turners:
        thread.join()
    assert errors == []
    assert len(seen) == 1200
    assert len({dial for dial, *_ in seen}) > 1, "the dial never moved"
    for dial, threshold, score, arm in seen:
        assert threshold == thresholds[round(dial * 1000)]
        assert arm == ("edge" if score >= threshold else "cloud")


def test_one_scorer_for_all_threads() -> None:
    held = bundle()
    client = _client(bundle=held, threshold=0.5)
    start = threading.Barrier(6)

    def ask() -> None:
        start.wait()
        client.route(EASY)

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held.loads == 1


def test_closing_during_a_stream_ends_it_with_a_typed_error() -> None:
    class Closable(FakeArm):
        def close(self) -> None:
            super().close()
            for opened in self.streams:
                opened._items = [ArmUnavailable("the arm was closed", arm=self.name)]

    edge = Closable(name="edge", model="m", place="device", script=answer("a", "b"))
    client = _client(edge=edge, threshold=0.5)
    stream = client.chat.completions.create(messages=EASY, stream=True)
    next(stream), next(stream)
    client.close()
    with pytest.raises(ArmUnavailable, match="closed"):
        next(stream)
