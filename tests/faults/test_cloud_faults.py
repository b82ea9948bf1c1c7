"""Answers that are refusals, errors or nonsense, and what is tried again."""

from __future__ import annotations

from typing import Any

import pytest
from cloud_cases import (
    BOTH,
    KEY,
    PROMPT,
    fault,
    in_thread,
    nothing_is_left_and_nothing_told,  # noqa: F401 - autouse
    request,
    settings,
    until,
)
from cloud_server import Behaviour, CloudServer, answer, hang, piece, stream, whole
from sdk_fakes import bundle, edge_arm, user

from hybridroute import HybridClient
from hybridroute.cloud import CloudArm
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmUnavailable,
    ContextOverflow,
    NoAnswer,
)
from hybridroute.edge_runtime.protocols import StoppableArm
from hybridroute.edge_runtime.stop_signal import StopSignal

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


def test_an_error_object_in_a_200_answer() -> None:
    with CloudServer(answer({"error": {"message": "upstream", "code": 502}})) as server:
        assert fault(server, kind=ArmUnavailable).status == 502
        assert fault(server, streams=True, kind=ArmUnavailable).status == 502


@pytest.mark.parametrize("body", [b"<html>" + PROMPT.encode(), b"", b"[]", b"3", b"[" * 100_000])
def test_an_answer_that_is_no_json_object(body: bytes) -> None:
    with CloudServer(answer(body)) as server:
        error = fault(server, kind=ArmError)
    assert "not a JSON object" in str(error)
    assert error.__cause__ is None  # a JSONDecodeError would hold the whole answer


NO_CHOICES: dict[str, Any] = {
    "missing": {},
    "null": {"choices": None},
    "empty": {"choices": []},
    "a number": {"choices": [5]},
    "nothing in it": {"choices": [{}]},
    "a message of nothing": {"choices": [{"message": {"content": None}}]},
    "a sign-in page": {"redirect": "/login", "status": "sign in first"},
}


@BOTH
@pytest.mark.parametrize("payload", NO_CHOICES.values(), ids=list(NO_CHOICES))
def test_an_answer_without_choices(streams: bool, payload: Any) -> None:
    with CloudServer(answer(payload)) as server:
        error = fault(server, streams=streams, kind=NoAnswer, max_retries=2)
        assert isinstance(error, ArmUnavailable)
        assert len(server.seen) == 1, "it may have been billed, and would come out the same"
    assert "no choices" in str(error)
    assert "check base_url" in str(error)


@pytest.mark.parametrize("message", [{"content": ""}, {"content": None}, None])
def test_an_empty_answer_that_says_why_it_ended_is_one(message: Any) -> None:
    said = whole(choices=[{"message": message, "finish_reason": "content_filter"}])
    with CloudServer(answer(said)) as server:
        arm = CloudArm(settings(server.url))
        assert arm.complete(request()).choices[0].finish_reason == "content_filter"
        arm.close()


@BOTH
@pytest.mark.parametrize("payload", [{"choices": []}, {"choices": [5]}])
def test_the_edge_takes_over_from_a_cloud_that_answers_nothing(streams: bool, payload: Any) -> None:
    nothing = stream(payload) if streams else answer(payload)
    with (
        CloudServer(nothing) as server,
        HybridClient(bundle(), edge=edge_arm(), cloud=settings(server.url), dial=1.0) as client,
    ):
        given = client.chat.completions.create(messages=user(PROMPT), stream=streams)
        decision = list(given)[-1].hybridroute if streams else given.hybridroute
        assert (decision.arm, decision.reason) == ("edge", "fallback")
        assert "no choices" in str(decision.fallback_error)
        with pytest.raises(NoAnswer):
            list(
                client.chat.completions.create(
                    messages=user(PROMPT), stream=True, mode="only_in_cloud"
                )
            )


def test_a_stream_request_answered_in_one_piece_or_by_a_page() -> None:
    with CloudServer(answer(whole())) as server:
        assert "instead of a stream" in str(fault(server, streams=True, kind=ArmError))
    with CloudServer(answer(b"<html>", content_type="text/html")) as server:
        assert "instead of a stream" in str(fault(server, streams=True, kind=ArmError))


@pytest.mark.parametrize("call", ["complete_until", "stream_until"])
def test_a_signal_ends_a_call_that_no_byte_has_answered(call: str) -> None:
    stop = StopSignal()
    with CloudServer(hang) as server:
        arm = CloudArm(settings(server.url, chunk_timeout_s=60.0, total_timeout_s=60.0))
        assert isinstance(arm, StoppableArm)
        caller, raised = in_thread(lambda: getattr(arm, call)(request(), stop))
        until(lambda: bool(server.seen))
        stop.set()
        caller.join(10)
        arm.close()
    assert isinstance(raised[0], ArmUnavailable)
    assert "closed while a request was running" in str(raised[0])
