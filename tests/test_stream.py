"""ChatStream: lazy, cancellable, and never two answers in one stream."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from threading import Event, Thread
from typing import Any

import pytest
from sdk_fakes import (
    FakeArm,
    FakeScorer,
    FakeStream,
    answer,
    chunk,
    cloud_arm,
    contents,
    edge_arm,
    manifest,
    user,
    watch,
)

from hybridroute.attempts import Attempts
from hybridroute.edge_runtime.chat import ChatRequest, CompletionChunk, Usage
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmUnavailable,
    ConfigError,
    StreamInterrupted,
)
from hybridroute.router import Router
from hybridroute.setting import Setting
from hybridroute.stream import ChatStream
from hybridroute.threshold_policy import ThresholdPolicy

REQUEST = ChatRequest(messages=tuple(user("0.9 easy")))
DOWN = ArmUnavailable("connection refused", arm="edge")


COUNTS = CompletionChunk(
    id="s-1",
    created=1,
    model="m",
    choices=(),
    usage=Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5),
)


def _stream(
    *arms: FakeArm, check_open: Any = lambda: None, request: ChatRequest = REQUEST
) -> ChatStream:
    router = Router(scorer=FakeScorer(), manifest=manifest(), arms=(edge_arm(), cloud_arm()))
    active = ThresholdPolicy(router.manifest, ()).activate(Setting(threshold=0.5))
    decision = router.decide(REQUEST, active)
    return ChatStream(Attempts(decision, arms, watch(request)), request, check_open=check_open)


def test_asks_nothing_before_the_first_chunk() -> None:
    arm = edge_arm()
    stream = _stream(arm)
    assert arm.requests == []
    assert stream.first_token_ms is None
    assert next(stream).choices[0].delta.role == "assistant"
    assert arm.requests == [REQUEST]


def test_a_chunk_of_counts_alone_is_for_those_who_asked() -> None:
    stream = _stream(edge_arm(script=[*answer("a"), COUNTS]))
    assert stream.usage is None
    assert "".join(piece.choices[0].delta.content or "" for piece in stream) == "a"
    assert stream.usage == COUNTS.usage
    asked = replace(REQUEST, extra={"stream_options": {"include_usage": True}})
    *_, last = _stream(edge_arm(script=[*answer("a"), COUNTS]), request=asked)
    assert (last.choices, last.usage) == ((), COUNTS.usage)


def test_hands_on_every_chunk_with_the_decision() -> None:
    stream = _stream(edge_arm(script=answer("a", "b")))
    chunks = list(stream)
    assert contents(chunks) == ["a", "b"]
    assert [one.choices[0].finish_reason for one in chunks] == [None, None, None, "stop"]
    assert {one.hybridroute.id for one in chunks} == {stream.decision.id}
    assert stream.first_token_ms is not None
    assert stream.first_token_ms >= stream.decision.latency_ms
    assert list(stream) == []


@pytest.mark.parametrize(
    "broken",
    [
        {"fails": DOWN},
        {"script": [DOWN]},
        {"script": [chunk(role="assistant"), chunk(""), DOWN]},
        {"script": []},
        {"script": [chunk(role="assistant")]},
    ],
)
def test_before_the_first_token_another_arm_takes_over(broken: dict[str, Any]) -> None:
    failing = edge_arm(**broken)
    chunks = list(_stream(failing, cloud_arm()))
    assert contents(chunks) == ["cloud"]
    roles = [one.choices[0].delta.role for one in chunks]
    assert roles.count("assistant") == 1, "the failed arm's opening must not be seen"
    for one in chunks:
        assert (one.hybridroute.arm, one.hybridroute.reason) == ("cloud", "fallback")
        assert one.hybridroute.fallback_from == "edge"
    assert all(opened.closed for opened in failing.streams)


def test_after_the_first_token_nobody_takes_over() -> None:
    broken = edge_arm(script=[chunk("Hal"), StreamInterrupted("cut", arm="edge"), chunk("lo")])
    standby = cloud_arm()
    stream = _stream(broken, standby)
    assert next(stream).choices[0].delta.content == "Hal"
    with pytest.raises(StreamInterrupted, match="cut"):
        next(stream)
    assert standby.requests == []
    assert broken.streams[0].closed
    assert list(stream) == []


def test_a_bad_request_is_not_hidden_by_another_arm() -> None:
    standby = cloud_arm()
    stream = _stream(edge_arm(fails=ArmRefused("bad", arm="edge", status=400)), standby)
    with pytest.raises(ArmRefused):
        next(stream)
    assert standby.requests == []


def test_when_every_arm_fails_the_last_error_tells_of_the_first() -> None:
    stream = _stream(edge_arm(fails=DOWN), cloud_arm(fails=ArmError("also down", arm="cloud")))
    with pytest.raises(ArmError, match="also down") as caught:
        next(stream)
    assert caught.value.__notes__ == [
        "before that, edge failed: ArmUnavailable: connection refused"
    ]


def test_leaving_the_block_cancels() -> None:
    arm = edge_arm(script=answer("a", "b"))
    with _stream(arm) as stream:
        next(stream)
    assert arm.streams[0].closed
    assert list(stream) == []
    stream.close()


def test_a_dropped_stream_drops_the_arm_s() -> None:
    arm = edge_arm()
    stream = _stream(arm)
    next(stream)
    watch = weakref.ref(arm.streams.pop())
    del stream
    assert watch() is None


def test_a_failed_arm_s_error_does_not_hold_the_stream() -> None:
    """A frame that keeps the error it raises is a cycle; only a collection would end it."""

    def fail(request: ChatRequest) -> None:
        error = ArmUnavailable("refused connection", arm="edge")
        try:
            raise OSError
        except OSError as exc:
            raise error from exc

    standby = cloud_arm()
    gc.disable()
    try:
        stream = _stream(edge_arm(on_call=fail), standby)
        next(stream)
        watch = weakref.ref(standby.streams.pop())
        del stream
        assert watch() is None
    finally:
        gc.enable()


def test_closed_before_it_began_it_asks_nobody() -> None:
    arm = edge_arm()
    stream = _stream(arm)
    stream.close()
    assert list(stream) == []
    assert arm.requests == []


def test_a_closed_client_is_noticed() -> None:
    def refuse() -> None:
        raise ConfigError("closed")

    arm = edge_arm()
    with pytest.raises(ConfigError, match="closed"):
        next(_stream(arm, check_open=refuse))
    assert arm.requests == []


class _Blocking(FakeStream):
    """Blocks like a socket until it is closed, then fails like one."""

    def __init__(self) -> None:
        super().__init__([])
        self.reading, self.shut = Event(), Event()

    def __next__(self) -> Any:
        self.reading.set()
        assert self.shut.wait(10)
        raise ArmUnavailable("the socket was shut", arm="edge")

    def close(self) -> None:
        self.shut.set()


def test_close_from_another_thread_ends_a_blocked_read() -> None:
    blocking = _Blocking()
    arm, standby = edge_arm(), cloud_arm()
    arm.stream = lambda request: blocking
    stream = _stream(arm, standby)
    seen: list[Any] = []
    reader = Thread(target=lambda: seen.append(list(stream)))
    reader.start()
    assert blocking.reading.wait(10)
    stream.close()
    reader.join(10)
    assert seen == [[]], "ends quietly: whoever closed it knows why"
    assert standby.requests == []


def test_close_while_the_arm_opens_cancels_what_it_opened() -> None:
    stream: ChatStream
    arm = edge_arm(on_call=lambda request: stream.close())
    stream = _stream(arm)
    assert list(stream) == []
    assert arm.streams[0].closed
