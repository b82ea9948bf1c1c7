from __future__ import annotations

import gc
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cloud_server import (
    PLAIN_STREAM_HEAD,
    STREAM_HEAD,
    Behaviour,
    CloudServer,
    answer,
    call_threads,
    chunked,
    endless,
    events,
    hang,
    hang_up,
    head,
    piece,
    raw,
    stream,
    trickle,
    whole,
)

from hybridroute.cloud import CloudArm, CloudSettings
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    ContextOverflow,
    StreamInterrupted,
)

KEY = "sk-planted-key-5f2c"
PROMPT = "a prompt nobody else may read"
BOTH = pytest.mark.parametrize("streams", [False, True], ids=["complete", "stream"])


def settings(base_url: str, **more: Any) -> CloudSettings:
    limits: dict[str, Any] = {
        "api_key": KEY,
        "connect_timeout_s": 2.0,
        "chunk_timeout_s": 5.0,
        "total_timeout_s": 10.0,
        "max_retries": 0,
    }
    return CloudSettings(base_url=base_url, model="big", **(limits | more))


def request() -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": PROMPT},))


@pytest.fixture(autouse=True)
def nothing_is_left_and_nothing_told(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert call_threads() == []
    told = [record.getMessage() + str(record.args) for record in caplog.records]
    assert not [text for text in told if KEY in text or PROMPT in text]


def fault(
    server: CloudServer, *, streams: bool = False, kind: type[ArmError], **more: Any
) -> ArmError:
    """The error of one request; its chain of causes holds neither key nor prompt."""
    arm = CloudArm(settings(server.url, **more), seed=1)
    try:
        with pytest.raises(kind) as caught:
            if streams:
                list(arm.stream(request()))
            else:
                arm.complete(request())
    finally:
        arm.close()
    error = caught.value
    chain = "".join(traceback.format_exception(error))
    assert KEY not in chain + repr(error) + repr(arm)
    assert PROMPT not in chain
    assert error.arm == "cloud"
    return error


REFUSALS: list[tuple[int, type[ArmError], str]] = [
    (400, ArmRefused, "answered 400"),
    (401, ArmRefused, "check the key"),
    (403, ArmRefused, "check what the key may use"),
    (404, ArmRefused, "check base_url and model (big)"),
    (422, ArmRefused, "answered 422"),
    (408, ArmUnavailable, "answered 408"),
    (429, ArmUnavailable, "answered 429"),
    (500, ArmUnavailable, "answered 500"),
    (502, ArmUnavailable, "answered 502"),
    (503, ArmUnavailable, "answered 503"),
    (504, ArmUnavailable, "answered 504"),
]


@BOTH
@pytest.mark.parametrize(("status", "kind", "words"), REFUSALS)
def test_statuses(streams: bool, status: int, kind: type[ArmError], words: str) -> None:
    said = {"error": {"message": "no such\x1b[31m luck", "type": "x", "code": None}}
    with CloudServer(answer(said, status)) as server:
        error = fault(server, streams=streams, kind=kind)
    assert type(error) is kind
    assert error.status == status
    assert words in str(error)
    assert "no such [31m luck" in str(error)


def test_the_keys_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ROUTE_KEY", KEY)
    with CloudServer(answer({"error": {"message": f"wrong key {KEY}"}}, 401)) as server:
        error = fault(server, kind=ArmRefused, api_key=None, api_key_env="TEST_ROUTE_KEY")
    assert "TEST_ROUTE_KEY" in str(error)
    assert "wrong key [redacted]" in str(error)


@pytest.mark.parametrize("body", [f"echo {KEY} and {PROMPT}", KEY[:-1] * 300 + KEY])
def test_a_server_that_echoes_the_key_and_the_prompt(body: str) -> None:
    with CloudServer(answer({"error": body}, 400)) as server:
        error = fault(server, kind=ArmRefused)
    assert len(str(error)) < 600


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>nginx</html>", "no reason given"),
        (b"", "no reason given"),
        (b'{"detail": [{"msg": "field required", "input": "secret"}]}', "field required"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b'[{"error": {"message": "google says no"}}]', "google says no"),
        (b'{"error": "ollama says no"}', "ollama says no"),
        (b'{"message": "plain"}', "plain"),
        (b"[" * 100_000, "no reason given"),
        (b'{"error": {"message": 5, "code": []}}', "no reason given"),
    ],
)
def test_error_bodies_of_every_shape(body: bytes, words: str) -> None:
    with CloudServer(answer(body, 400)) as server:
        error = fault(server, kind=ArmRefused)
    assert words in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    "said",
    [
        {"message": "8 tokens, 4 allowed", "code": "context_length_exceeded"},
        {"message": "This model's maximum context length is 4 tokens"},
        {"message": "too big", "type": "exceed_context_size_error", "n_ctx": 4},
    ],
)
def test_context_overflow(said: dict[str, Any]) -> None:
    with CloudServer(answer({"error": said}, 400)) as server:
        fault(server, kind=ContextOverflow)


def test_context_overflow_names_both_sizes() -> None:
    said = {"message": "m", "type": "exceed_context_size_error", "n_ctx": 4, "n_prompt_tokens": 8}
    with CloudServer(answer({"error": said}, 400)) as server:
        error = fault(server, kind=ContextOverflow)
    assert "prompt 8 tokens, context 4 tokens" in str(error)


def test_no_key_means_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_ROUTE_KEY", raising=False)
    with CloudServer(answer(whole())) as server:
        error = fault(server, kind=ArmRefused, api_key=None, api_key_env="TEST_ROUTE_KEY")
    assert "TEST_ROUTE_KEY" in str(error)
    assert server.connections == 0


@pytest.mark.parametrize("key", [f"{KEY} {KEY}", f"{KEY}\r\nX: y", f"{KEY}é"])
def test_an_unusable_key_is_not_shown(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ROUTE_KEY", key)
    with CloudServer(answer(whole())) as server:
        fault(server, kind=ArmRefused, api_key=None, api_key_env="TEST_ROUTE_KEY")
    assert server.connections == 0


@BOTH
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504])
def test_passing_trouble_is_tried_again(streams: bool, status: int) -> None:
    good = stream(piece("ok", finish="stop")) if streams else answer(whole("ok"))
    with CloudServer(answer({}, status, retry_after="0"), good) as server:
        arm = CloudArm(settings(server.url, max_retries=1, max_retry_wait_s=0.01), seed=1)
        if streams:
            assert len(list(arm.stream(request()))) == 1
        else:
            assert arm.complete(request()).choices[0].message.content == "ok"
        arm.close()
    assert len(server.seen) == 2


def test_a_connection_hung_up_before_any_byte_is_tried_again() -> None:
    with CloudServer(hang_up, answer(whole("ok"))) as server:
        arm = CloudArm(settings(server.url, max_retries=1, max_retry_wait_s=0.01), seed=1)
        assert arm.complete(request()).choices[0].message.content == "ok"
        arm.close()


def test_a_kept_connection_found_dead_costs_no_try() -> None:
    # A server may close an idle connection just as the next request is on its way.
    with CloudServer(answer(whole()), hang_up, answer(whole("ok"))) as server:
        arm = CloudArm(settings(server.url, max_retries=0))
        arm.complete(request())
        assert arm.complete(request()).choices[0].message.content == "ok"
        arm.close()
    assert [seen.connection for seen in server.seen] == [1, 1, 2]


def test_a_new_connection_hung_up_is_not_tried_again_for_free() -> None:
    with CloudServer(answer(whole()), hang_up) as server:
        arm = CloudArm(settings(server.url, max_retries=0))
        arm.complete(request())
        with pytest.raises(ArmUnavailable):
            arm.complete(request())
        arm.close()
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("behaviour", "tries"),
    [
        (answer({}, 503), 3),
        (answer({}, 401), 1),
        (answer({"error": {"code": "insufficient_quota"}}, 429), 1),
        (answer({}, 429, retry_after="30"), 1),
    ],
)
def test_how_often_it_is_tried(behaviour: Behaviour, tries: int) -> None:
    with CloudServer(behaviour) as server:
        fault(server, kind=ArmError, max_retries=2, max_retry_wait_s=0.02)
    assert len(server.seen) == tries


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    with CloudServer(answer({}, 429, retry_after="3")) as server:
        error = fault(
            server, kind=ArmUnavailable, max_retries=5, total_timeout_s=1.0, max_retry_wait_s=60.0
        )
    assert "it asks to wait 3 s" in str(error)
    assert len(server.seen) == 1


@BOTH
def test_refused_connection(streams: bool) -> None:
    server = CloudServer(hang)
    with server:
        pass
    error = fault(server, streams=streams, kind=ArmUnavailable)
    assert "Connection refused" in str(error)


def test_unknown_host() -> None:
    arm = CloudArm(settings("https://no-such-host.invalid/v1"))
    with pytest.raises(ArmUnavailable, match=r"no-such-host\.invalid"):
        arm.complete(request())
    arm.close()


def test_a_server_without_tls() -> None:
    with CloudServer(hang, greeting=b"220 this is no TLS server\r\n") as server:
        arm = CloudArm(settings(f"https://127.0.0.1:{server.port}/v1"))
        with pytest.raises(ArmUnavailable, match="TLS"):
            arm.complete(request())
        arm.close()


def test_a_handshake_that_never_ends() -> None:
    # The system accepts the connection; nobody ever reads it.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        arm = CloudArm(settings(f"https://127.0.0.1:{port}/v1", connect_timeout_s=0.2))
        with pytest.raises(ArmTimeout, match=r"connect_timeout_s=0\.2"):
            arm.complete(request())
        arm.close()


def test_a_handshake_cut_short_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        port = listener.getsockname()[1]
        url = f"https://127.0.0.1:{port}/v1"
        arm = CloudArm(settings(url, max_retries=1, max_retry_wait_s=0.01), seed=1)
        thread, results = in_thread(lambda: arm.complete(request()))
        for _ in range(2):
            listener.accept()[0].close()
        thread.join(5)
        arm.close()
    assert isinstance(results[0], ArmUnavailable)


def test_connect_timeout_names_its_limit() -> None:
    # A listener whose queue is full answers no further connection.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        arm = CloudArm(settings(f"http://127.0.0.1:{port}/v1", connect_timeout_s=0.2))
        with pytest.raises(ArmTimeout, match=r"connect_timeout_s=0\.2"):
            arm.complete(request())
        arm.close()
        for filler in fillers:
            filler.close()


TRICKLES = {
    "no byte": hang,
    "status line": trickle(b"HTTP/1.1 200 OK and so on"),
    "headers": trickle(b"HTTP/1.1 200 OK\r\nX-Slow: aaaa"),
    "body": raw(head(content_length="50") + b'{"id":', wait=True),
    "body, byte by byte": trickle(head(content_length="5000") + b"{", pause_s=0.02),
}


@pytest.mark.parametrize("behaviour", TRICKLES.values(), ids=list(TRICKLES))
def test_the_deadline_ends_every_wait(behaviour: Behaviour) -> None:
    with CloudServer(behaviour) as server:
        error = fault(server, kind=ArmTimeout, total_timeout_s=0.3, chunk_timeout_s=0.2)
        assert server.gone.acquire(timeout=5)
    assert "total_timeout_s=0.3" in str(error)


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


def test_an_error_object_in_a_200_answer() -> None:
    with CloudServer(answer({"error": {"message": "upstream", "code": 502}})) as server:
        assert fault(server, kind=ArmUnavailable).status == 502
        assert fault(server, streams=True, kind=ArmUnavailable).status == 502


@pytest.mark.parametrize("body", [b"<html>" + PROMPT.encode(), b"", b"[]", b"3", b"[" * 100_000])
def test_an_answer_that_is_no_json_object(body: bytes) -> None:
    with CloudServer(answer(body)) as server:
        error = fault(server, kind=ArmError)
    assert "no JSON object" in str(error)
    assert error.__cause__ is None  # a JSONDecodeError would hold the whole answer


def test_a_stream_request_answered_in_one_piece_or_by_a_page() -> None:
    with CloudServer(answer(whole())) as server:
        assert "instead of a stream" in str(fault(server, streams=True, kind=ArmError))
    with CloudServer(answer(b"<html>", content_type="text/html")) as server:
        assert "instead of a stream" in str(fault(server, streams=True, kind=ArmError))


def test_a_body_cut_short() -> None:
    with CloudServer(raw(head(content_length="500") + b'{"id": 1')) as server:
        error = fault(server, kind=ArmUnavailable)
    assert type(error) is ArmUnavailable


@BOTH
def test_an_endless_body(streams: bool) -> None:
    def flood(visit: Any) -> bool:
        visit.send(PLAIN_STREAM_HEAD)
        while not visit.stopping.is_set():
            visit.send(b" " * 65536)
        return False

    with CloudServer(flood) as server:
        error = fault(server, streams=streams, kind=ArmError, max_response_bytes=200_000)
    assert "max_response_bytes=200000" in str(error)


def test_an_endless_error_body() -> None:
    def flood(visit: Any) -> bool:
        visit.send(head(400))
        while not visit.stopping.is_set():
            visit.send(b" " * 65536)
        return False

    with CloudServer(flood) as server:
        assert fault(server, kind=ArmRefused).status == 400


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


@BOTH
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(streams: bool, status: int) -> None:
    with CloudServer(answer(whole())) as other:
        target = f"{other.url}/chat/completions?token={KEY}"
        with CloudServer(answer({}, status, location=target)) as server:
            error = fault(server, streams=streams, kind=ArmRefused)
    assert other.connections == 0
    assert "redirects are not followed" in str(error)


def test_a_proxy_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with CloudServer(trickle(b"HTTP/1.1 200 OK\r\nX-Slow: aaaa")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        arm = CloudArm(settings("https://cloud.invalid/v1", total_timeout_s=0.4))
        with pytest.raises(ArmTimeout, match="total_timeout_s"):
            arm.complete(request())
        arm.close()
        assert proxy.seen[0].method == "CONNECT"
        assert KEY not in str(proxy.seen)


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run ``work`` in a thread; the list gets its result or its error."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except ArmError as exc:
            results.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("the condition never came true")


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


@BOTH
def test_closing_the_arm_ends_running_requests(streams: bool) -> None:
    start = STREAM_HEAD if streams else b""
    with CloudServer(raw(start, wait=True)) as server:
        arm = CloudArm(settings(server.url))
        work = (lambda: list(arm.stream(request()))) if streams else lambda: arm.complete(request())
        thread, results = in_thread(work)
        until(lambda: len(server.seen) == 1)
        arm.close()
        thread.join(5)
    assert isinstance(results[0], ArmUnavailable)
    assert "the arm was closed" in str(results[0])


def test_closing_the_arm_ends_a_wait_between_tries() -> None:
    with CloudServer(answer({}, 429, retry_after="8")) as server:
        arm = CloudArm(settings(server.url, max_retries=1))
        thread, results = in_thread(lambda: arm.complete(request()))
        until(lambda: len(server.seen) == 1)
        threading.Event().wait(0.05)
        arm.close()
        thread.join(5)
    assert "the arm was closed" in str(results[0])


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


def test_the_arm_works_on_after_abandoned_streams_and_faults() -> None:
    script = (endless, answer({}, 500), hang, answer(whole("fine")))
    with CloudServer(*script) as server:
        arm = CloudArm(settings(server.url, total_timeout_s=0.5))
        for chunk in arm.stream(request()):
            assert chunk.choices
            break
        for kind in (ArmUnavailable, ArmTimeout):
            with pytest.raises(kind):
                arm.complete(request())
        assert arm.complete(request()).choices[0].message.content == "fine"
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
