"""Streams that fall silent, break, make no sense, or are left."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from cloud_cases import (
    KEY,
    PROMPT,
    fault,
    in_thread,
    nothing_is_left_and_nothing_told,  # noqa: F401 - autouse
    request,
    settings,
)
from cloud_server import (
    PLAIN_STREAM_HEAD,
    STREAM_HEAD,
    Behaviour,
    CloudServer,
    call_threads,
    chunked,
    endless,
    events,
    piece,
    raw,
    stream,
    trickle,
)

from hybridroute.cloud import CloudArm
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    ContextOverflow,
    NoAnswer,
    StreamInterrupted,
)


@pytest.mark.parametrize(
    "start",
    [b"", STREAM_HEAD, STREAM_HEAD + chunked(events(piece("a"), done=False)), PLAIN_STREAM_HEAD],
    ids=["before headers", "before chunks", "between chunks", "unchunked"],
)
def test_silence_in_a_stream(start: bytes) -> None:
    with CloudServer(raw(start, wait=True)) as server:
        error = fault(server, streams=True, kind=ArmTimeout, chunk_timeout_s=0.2)
    assert "chunk_timeout_s=0.2" in str(error)


def test_a_stream_is_never_tried_again_after_its_first_byte() -> None:
    cut = raw(STREAM_HEAD + chunked(events(piece("a"), done=False)))
    with CloudServer(cut) as server:
        fault(server, streams=True, kind=StreamInterrupted, max_retries=3)
    assert len(server.seen) == 1


CUTS = {
    "chunked": raw(STREAM_HEAD + chunked(events(piece("a"), done=False))),
    "in a chunk": raw(STREAM_HEAD + b"ff\r\ndata: {"),
    "properly, too early": stream(piece("a"), done=False),
    "before any chunk": stream(done=False),
    "unchunked": raw(PLAIN_STREAM_HEAD + events(piece("a"), done=False)),
    "in the JSON": raw(PLAIN_STREAM_HEAD + events(piece("a"), done=False) + b'data: {"id'),
    "bad chunk size": raw(STREAM_HEAD + b"zz\r\n"),
}


@pytest.mark.parametrize("behaviour", CUTS.values(), ids=list(CUTS))
def test_streams_cut_in_the_middle(behaviour: Behaviour) -> None:
    with CloudServer(behaviour) as server:
        fault(server, streams=True, kind=StreamInterrupted)


@pytest.mark.parametrize(
    "data",
    [(), ({"choices": []},), ({"choices": None},), ({"choices": [], "usage": {}}, {"id": "x"})],
    ids=["done alone", "empty", "null", "usage alone"],
)
def test_streams_that_end_without_a_choice(data: tuple[Any, ...]) -> None:
    with CloudServer(stream(*data)) as server:
        error = fault(server, streams=True, kind=NoAnswer)
    assert "no choices" in str(error)


def test_an_empty_stream_with_its_end_is_an_answer() -> None:
    with CloudServer(stream(piece("", finish="stop"))) as server:
        arm = CloudArm(settings(server.url))
        assert [one.choices[0].finish_reason for one in arm.stream(request())] == ["stop"]
        arm.close()


def test_what_came_before_the_cut_is_handed_over() -> None:
    with CloudServer(CUTS["chunked"]) as server:
        arm = CloudArm(settings(server.url))
        reader = arm.stream(request())
        assert next(reader).choices[0].delta.content == "a"
        with pytest.raises(StreamInterrupted):
            next(reader)
        assert list(reader) == []
        arm.close()


@pytest.mark.parametrize("text", [f"{{not json {PROMPT}", "[1]", '"text"', "null", "[" * 50_000])
def test_malformed_events_name_their_line_and_not_their_text(text: str) -> None:
    with CloudServer(stream(piece("a"), text)) as server:
        error = fault(server, streams=True, kind=StreamInterrupted)
    assert "line 3" in str(error)
    assert "not json" not in str(error)


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        ([{"error": {"message": "overload", "code": 503}}], ArmUnavailable, "answered 503"),
        ([{"error": {"message": "slow down", "code": "429"}}], ArmUnavailable, "answered 429"),
        ([{"error": {"message": "dead", "code": "gpu"}}], ArmUnavailable, "reported an error"),
        ([{"error": "dead"}], ArmUnavailable, "dead"),
        ([{"error": {"type": "invalid_request_error"}}], ArmRefused, "no reason given"),
        ([{"error": {"code": "context_length_exceeded"}}], ContextOverflow, "reported"),
        ([piece("a"), {"error": {"message": f"at {KEY}"}}], StreamInterrupted, "[redacted]"),
        ([piece("a"), {"error": {"code": 401}}], ArmRefused, "answered 401"),
    ],
)
def test_error_objects_inside_a_stream(data: list[Any], kind: type[ArmError], words: str) -> None:
    with CloudServer(stream(*data)) as server:
        error = fault(server, streams=True, kind=kind)
    assert type(error) is kind
    assert words in str(error)


def test_an_error_event_inside_a_stream() -> None:
    data = b'event: error\ndata: {"message": "engine died"}\n\n'
    with CloudServer(raw(PLAIN_STREAM_HEAD + data)) as server:
        error = fault(server, streams=True, kind=ArmUnavailable)
    assert "engine died" in str(error)


def test_a_server_that_goes_on_after_done() -> None:
    def chatter(visit: Any) -> bool:
        visit.send(STREAM_HEAD + chunked(events(piece("a", finish="stop"))))
        while not visit.stopping.wait(0.001):
            visit.send(chunked(b": still here\n\n"))
        return False

    with CloudServer(chatter) as server:
        arm = CloudArm(settings(server.url))
        assert len(list(arm.stream(request()))) == 1
        assert server.gone.acquire(timeout=5)
        arm.close()


def test_closing_a_stream_wakes_its_reader() -> None:
    with CloudServer(
        raw(STREAM_HEAD + chunked(events(piece("a"), done=False)), wait=True)
    ) as server:
        arm = CloudArm(settings(server.url))
        reader = arm.stream(request())
        next(reader)
        thread, results = in_thread(lambda: list(reader))
        reader.close()
        thread.join(5)
        assert results == [[]]
        assert server.gone.acquire(timeout=5)
        arm.close()


def test_dropping_streams_that_stand_in_a_reference_cycle() -> None:
    with CloudServer(endless) as server:
        arm = CloudArm(settings(server.url))
        for _ in range(3):
            holder: dict[str, Any] = {"stream": arm.stream(request())}
            next(holder["stream"])
            holder["self"] = holder
        del holder
        gc.collect()
        for _ in range(3):
            assert server.gone.acquire(timeout=5)
        arm.close()


def test_a_stream_dropped_after_its_deadline_is_freed() -> None:
    with CloudServer(endless) as server:
        arm = CloudArm(settings(server.url, total_timeout_s=0.1))
        reader = arm.stream(request())
        assert server.gone.acquire(timeout=5)
        assert call_threads() == []
        del reader
        arm.close()


def test_two_readers_share_a_stream_without_breaking_it() -> None:
    with CloudServer(stream(*[piece(str(i)) for i in range(200)], piece(finish="stop"))) as server:
        arm = CloudArm(settings(server.url))
        reader = arm.stream(request())
        runs = [in_thread(lambda: list(reader)) for _ in range(2)]
        for thread, _ in runs:
            thread.join(10)
        arm.close()
    texts = [c.choices[0].delta.content for _, results in runs for c in results[0]]
    assert sorted(int(text) for text in texts if text) == list(range(200))


@pytest.mark.parametrize(
    "behaviour",
    [
        trickle(b"HTTP/1.1 200 OK\r\nX-Slow: aaaa"),
        trickle(PLAIN_STREAM_HEAD + b": ", 0.02),
        endless,
    ],
    ids=["headers", "comments", "words"],
)
def test_the_deadline_ends_streams_that_never_fall_silent(behaviour: Behaviour) -> None:
    with CloudServer(behaviour) as server:
        error = fault(
            server, streams=True, kind=ArmTimeout, total_timeout_s=0.4, chunk_timeout_s=0.3
        )
        assert server.gone.acquire(timeout=5)
    assert "total_timeout_s=0.4" in str(error)
