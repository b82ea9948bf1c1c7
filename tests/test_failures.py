"""What went wrong in the cloud as errors of ours: their kind, their words, and what is retried.

The faults themselves, over a real connection, stand in tests/faults.
"""

from __future__ import annotations

import errno
import json
import socket
import ssl
from typing import Any

import pytest
import requests

from hybridroute.cloud import CloudSettings
from hybridroute.cloud.failures import Failures, reason_of
from hybridroute.cloud.redact import Redactor
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    ContextOverflow,
    NoAnswer,
    StreamInterrupted,
)

KEY, PROMPT = "sk-planted-key-5f2c", "a prompt nobody else may read"
BROKEN = OSError(errno.ECONNRESET, "Connection reset by peer")


def failures(**more: Any) -> Failures:
    held = {"base_url": "https://big.example/v1", "model": "big", "api_key": KEY, **more}
    return Failures(
        CloudSettings(**held),
        arm="cloud",
        redact=Redactor((KEY,), (PROMPT,)),
        deadline="total_timeout_s=10",
    )


def of_status(
    status: int, said: Any = None, *, asked_s: float | None = None, **more: Any
) -> tuple[ArmError, bool]:
    body = said if isinstance(said, bytes) else json.dumps({"error": said or {}}).encode()
    return failures(**more).from_status(status, body, {}, asked_s)


@pytest.mark.parametrize(
    ("cause", "kind", "said"),
    [
        ("deadline", ArmTimeout, "big.example did not finish within total_timeout_s=10"),
        ("closed", ArmUnavailable, "the stream was closed while a request was running"),
        ("arm closed", ArmUnavailable, "the arm was closed while a request was running"),
    ],
)
def test_a_call_that_was_cut_names_who_cut_it(cause: Any, kind: type[ArmError], said: str) -> None:
    error = failures().from_cut(cause)
    assert (type(error), str(error), error.arm) == (kind, said, "cloud")


def test_answers_that_are_none() -> None:
    made = failures(chunk_timeout_s=2.5)
    found = [made.silence(), made.broken("it broke"), made.unfit("sent a page"), made.no_choice()]
    assert [type(one) for one in found] == [ArmTimeout, StreamInterrupted, ArmError, NoAnswer]
    assert {one.arm for one in found} == {"cloud"}
    said = [str(one) for one in found]
    assert said[0] == "big.example sent nothing for chunk_timeout_s=2.5"
    assert said[1] == "big.example: it broke; ask again"
    assert said[2] == "big.example sent a page"
    assert "check base_url and model (big)" in said[3]


@pytest.mark.parametrize(
    ("exc", "is_connected", "kind", "said", "may_retry"),
    [
        (requests.exceptions.ConnectTimeout(), False, ArmTimeout, "connect_timeout_s=2", True),
        (requests.exceptions.ConnectTimeout(), True, ArmTimeout, "connect_timeout_s=2", True),
        (requests.exceptions.ReadTimeout(), False, ArmTimeout, "connect_timeout_s=2", True),
        (requests.exceptions.ReadTimeout(), True, ArmTimeout, "chunk_timeout_s=30", False),
        (
            requests.exceptions.SSLError(ssl.SSLCertVerificationError("self-signed")),
            False,
            ArmUnavailable,
            "no trusted TLS connection to big.example",
            False,
        ),
        (
            requests.exceptions.SSLError(ssl.SSLError("wrong version")),
            False,
            ArmUnavailable,
            "no TLS connection to big.example",
            True,
        ),
        (requests.exceptions.ProxyError(BROKEN), False, ArmUnavailable, "*_proxy variables", True),
        (
            requests.exceptions.ConnectionError(BROKEN),
            True,
            ArmUnavailable,
            "cannot reach big.example (Connection reset by peer)",
            True,
        ),
        (requests.exceptions.InvalidURL("x"), False, ArmError, "check base_url", False),
        (ValueError("x"), False, ArmError, "cannot send to big.example (ValueError)", False),
    ],
)
def test_a_request_that_got_no_headers(
    exc: Exception, is_connected: bool, kind: type[ArmError], said: str, may_retry: bool
) -> None:
    error, again = failures(connect_timeout_s=2.0).from_sending(exc, is_connected=is_connected)
    assert (type(error), again, error.arm) == (kind, may_retry, "cloud")
    assert said in str(error)


@pytest.mark.parametrize(
    ("status", "kind", "may_retry"),
    [
        (400, ArmRefused, False),
        (401, ArmRefused, False),
        (404, ArmRefused, False),
        (413, ArmRefused, False),
        (408, ArmUnavailable, True),
        (409, ArmUnavailable, True),
        (425, ArmUnavailable, False),
        (429, ArmUnavailable, True),
        (500, ArmUnavailable, True),
        (501, ArmUnavailable, False),
        (503, ArmUnavailable, True),
        (599, ArmUnavailable, False),
        (204, ArmError, False),
        (100, ArmError, False),
    ],
)
def test_a_status_decides_the_kind_and_whether_to_try_again(
    status: int, kind: type[ArmError], may_retry: bool
) -> None:
    error, again = of_status(status, {"message": "no luck"})
    assert (type(error), again, error.status) == (kind, may_retry, status)
    assert f"big.example answered {status}: no luck" in str(error)


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached"])
def test_an_empty_purse_is_not_asked_again(code: str) -> None:
    error, again = of_status(429, {"message": "pay", "code": code})
    assert (type(error), again) == (ArmUnavailable, False)


def test_the_wait_that_a_server_asks_for_is_told() -> None:
    error, _ = of_status(503, {"message": "busy"}, asked_s=7.5)
    assert str(error).endswith("busy; it asks to wait 7.5 s")
    assert "wait" not in str(of_status(400, {"message": "bad"}, asked_s=7.5)[0])


@pytest.mark.parametrize(
    ("status", "message", "more", "advice"),
    [
        (401, "", {}, "; check the key"),
        (401, "", {"api_key": None, "api_key_env": "MY_KEY"}, "; check the key in MY_KEY"),
        (403, "", {}, "; check what the key may use"),
        (404, "", {}, "; check base_url and model (big)"),
        (400, "unknown stream_options", {}, "; set stream_usage=False"),
        (400, "use max_completion_tokens", {}, "; set max_tokens_field='max_completion_tokens'"),
        (422, "bad", {}, "answered 422: bad"),
    ],
)
def test_a_refusal_says_what_to_set(
    status: int, message: str, more: dict[str, Any], advice: str
) -> None:
    assert str(of_status(status, {"message": message}, **more)[0]).endswith(advice)


def test_the_servers_words_are_cleaned_and_missing_ones_said_to_be() -> None:
    error, _ = of_status(400, {"message": f"no {KEY} for\n{PROMPT}"})
    assert str(error).endswith("answered 400: no [redacted] for [prompt]")
    for nothing in ({}, {"message": ""}, {"message": None}, {"message": 5}):
        assert "no reason given" in str(of_status(400, nothing)[0])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"error": {"message": "a"}}', "400: a"),
        (b'{"error": "a"}', "400: a"),
        (b'{"detail": "a"}', "400: a"),
        (b'{"detail": [{"msg": "a", "input": "secret"}]}', "400: a"),
        (b'{"message": "a"}', "400: a"),
        (b'[{"error": {"message": "a"}}]', "400: a"),
        (b"", "no reason given"),
        (b"<html>secret</html>", "no reason given"),
        (b'"secret"', "no reason given"),
        (b"[]", "no reason given"),
        (b"[" * 100_000, "no reason given"),
        (b"\xff", "no reason given"),
    ],
)
def test_bodies_of_every_shape(body: bytes, said: str) -> None:
    error, _ = of_status(400, body)
    assert said in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    "fault",
    [
        {"code": "context_length_exceeded"},
        {"type": "exceed_context_size_error"},
        {"message": "This model's maximum context length is 8192"},
        {"message": "the prompt is too long: 9 tokens"},
        {"message": "exceeds the Context Window"},
    ],
)
def test_a_prompt_that_does_not_fit_is_known_by_code_or_words(fault: dict[str, Any]) -> None:
    for status in (400, 413, 422, 500):
        error, again = of_status(status, fault)
        assert (type(error), again) == (ContextOverflow, False)
    for status in (401, 429, 503):
        assert type(of_status(status, fault)[0]) is not ContextOverflow


def test_both_sizes_are_named_where_the_server_names_both() -> None:
    sized = {"type": "exceed_context_size_error", "n_prompt_tokens": 900, "n_ctx": 512}
    assert "(prompt 900 tokens, context 512 tokens)" in str(of_status(400, sized)[0])
    assert "tokens" not in str(of_status(400, {**sized, "n_ctx": "512"})[0])


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        ("it broke", ArmUnavailable, None),
        ({"message": "it broke"}, ArmUnavailable, None),
        ({"message": "it broke", "code": 503}, ArmUnavailable, 503),
        ({"message": "it broke", "code": "429"}, ArmUnavailable, 429),
        ({"message": "it broke", "code": 401}, ArmRefused, 401),
        ({"message": "it broke", "code": 200}, ArmUnavailable, None),
        ({"message": "it broke", "type": "invalid_request_error"}, ArmRefused, 400),
        ({"message": "it broke", "type": "authentication_error"}, ArmRefused, 400),
        ({"message": "it broke", "type": "overloaded_error"}, ArmUnavailable, None),
        ({"message": "it broke", "code": "context_length_exceeded"}, ContextOverflow, None),
        ({"message": "it broke", "code": "²"}, ArmUnavailable, None),
        (["it broke"], ArmUnavailable, None),
    ],
)
def test_an_error_object_in_a_good_answer(
    fault: Any, kind: type[ArmError], status: int | None
) -> None:
    error = failures().from_payload(fault)
    assert (type(error), error.status, error.arm) == (kind, status, "cloud")
    assert "it broke" in str(error)
    assert ("reported an error" in str(error)) is (status is None)


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("https://other.example/v2?key=secret", "https://other.example/v2"),
        ("https://me:secret@other.example/v2", "https://other.example/v2"),
        ("/v2#secret", "https://big.example/v2"),
        ("http://[", "an address that cannot be read"),
        (f"/{KEY}", "https://big.example/[redacted]"),
    ],
)
def test_a_redirect_is_refused_and_its_target_told_without_secrets(
    location: str, place: str
) -> None:
    error, again = failures().from_status(307, b"", {"location": location}, None)
    assert (type(error), again, error.status) == (ArmRefused, False, 307)
    assert f"points to {place}; redirects are not followed" in str(error)
    assert "secret" not in str(error)


def test_a_redirect_to_nowhere_points_to_where_it_came_from() -> None:
    error, _ = failures().from_status(302, b"", {}, None)
    assert "points to https://big.example/v1" in str(error)


def test_the_innermost_cause_speaks_however_it_is_kept() -> None:
    assert reason_of(BROKEN) == "Connection reset by peer"
    assert reason_of(requests.exceptions.ConnectionError(BROKEN)) == "Connection reset by peer"
    chained = ValueError("secret")
    chained.__cause__ = RuntimeError("secret", BROKEN)
    assert reason_of(chained) == "Connection reset by peer"
    kept = ValueError()
    kept.reason = BROKEN  # type: ignore[attr-defined]
    assert reason_of(kept) == "Connection reset by peer"
    assert reason_of(socket.gaierror(-2, "Name or service not known")) == (
        "Name or service not known"
    )


def test_without_the_systems_words_a_type_is_named_and_no_message() -> None:
    assert reason_of(ValueError("secret")) == "ValueError"
    outer = requests.exceptions.ConnectionError(OSError("secret"))
    assert reason_of(outer) == "OSError"


def test_causes_that_go_round_in_a_ring_end() -> None:
    one, other = ValueError(), KeyError()
    one.__context__, other.__context__ = other, one
    assert reason_of(one) == "KeyError"
