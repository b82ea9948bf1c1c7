"""Who may ask, from where, and what every answer carries: the guard alone, as ASGI calls it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from hybridroute.edge_runtime.errors import ArmUnavailable, RequestError
from hybridroute.server.guard import Guard
from hybridroute.server.options import ServerOptions

KEY = "a-key-of-sixteen-characters"
LOCAL = {"host": "127.0.0.1:8642"}
SECURITY = {
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "x-frame-options",
    "cross-origin-resource-policy",
}


@dataclass
class Behind:
    """The application: answers 200, with ``headers``, or raises; before its answer or in it."""

    raises: Exception | None = None
    midway: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()
    calls: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.calls.append(scope["type"])
        if self.raises is not None and not self.midway:
            raise self.raises
        await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
        if self.raises is not None:
            raise self.raises
        await send({"type": "http.response.body", "body": b"ok"})


def ask(
    behind: Behind,
    headers: Mapping[str, str] = LOCAL,
    *,
    path: str = "/v1/models",
    kind: str = "http",
    **options: Any,
) -> tuple[int, dict[str, str], bytes]:
    """The status, the headers and the body that one request gets."""
    guard = Guard(behind, ServerOptions(**options), open_paths=("/health",))
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("the guard reads no body")

    scope = {
        "type": kind,
        "method": "GET",
        "path": path,
        "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
    }
    asyncio.run(guard(scope, receive, send))
    if not sent or "headers" not in sent[0]:
        return 0, {}, b""
    told = {k.decode().lower(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], told, b"".join(one.get("body", b"") for one in sent[1:])


def refused(headers: Mapping[str, str], status: int, code: str, **more: Any) -> dict[str, str]:
    """Asserts that nothing behind was asked; the answer's headers."""
    behind = Behind()
    found, told, body = ask(behind, headers, **more)
    assert (found, json.loads(body)["error"]["code"]) == (status, code)
    assert behind.calls == []
    assert told.keys() >= SECURITY
    return told


def passed(headers: Mapping[str, str], **more: Any) -> None:
    behind = Behind()
    assert ask(behind, headers, **more)[0] == 200
    assert behind.calls == ["http"]


def test_every_answer_carries_the_security_headers() -> None:
    _, told, body = ask(Behind())
    assert told.keys() >= SECURITY
    assert "default-src 'none'" in told["content-security-policy"]
    assert (told["x-frame-options"], body) == ("DENY", b"ok")


def test_an_endpoints_own_header_stands() -> None:
    _, told, _ = ask(Behind(headers=((b"content-security-policy", b"sandbox"),)))
    assert told["content-security-policy"] == "sandbox"
    assert told.keys() >= SECURITY


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8642", "localhost", "LOCALHOST:1", "[::1]", "[::1]:8642"]
)
def test_a_loopback_name_is_let_in(host: str) -> None:
    passed({"host": host})


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8642",
        "",
        "127.0.0.1.evil.example",
        "app.localhost",
        "[",
        "::1",
    ],
)
def test_a_name_that_a_page_may_make_resolve_here_is_refused(host: str) -> None:
    refused({"host": host}, 403, "host_not_allowed")


def test_no_host_at_all_is_refused() -> None:
    refused({}, 403, "host_not_allowed")


def test_elsewhere_than_on_loopback_any_host_is_its_name() -> None:
    key = {"authorization": f"Bearer {KEY}"}
    passed({"host": "box.example", **key}, host="0.0.0.0", key=KEY)


@pytest.mark.parametrize("origin", ["http://127.0.0.1:8642", "https://127.0.0.1:8642"])
def test_a_page_of_this_server_may_ask(origin: str) -> None:
    passed({**LOCAL, "origin": origin})


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "",
        "http://[",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        "127.0.0.1:8642",
    ],
)
def test_another_origin_may_not(origin: str) -> None:
    refused({**LOCAL, "origin": origin}, 403, "origin_not_allowed")


def test_an_origin_that_was_let_in_may_and_its_likes_may_not() -> None:
    friend = "https://friend.example"
    passed({**LOCAL, "origin": friend}, cors_origins=(friend,))
    for near in (f"{friend}.evil.example", f"{friend}:444", "http://friend.example"):
        refused({**LOCAL, "origin": near}, 403, "origin_not_allowed", cors_origins=(friend,))


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_key_lets_in(scheme: str) -> None:
    passed({**LOCAL, "authorization": f"{scheme} {KEY}"}, key=KEY)
    passed({**LOCAL, "authorization": f"{scheme}   {KEY} "}, key=KEY)


@pytest.mark.parametrize(
    "said",
    [
        "",
        KEY,
        "Bearer",
        f"Basic {KEY}",
        "Bearer wrong",
        f"Bearer {KEY}x",
        f"Bearer {KEY[:-1]}",
        "Bearer ключ".encode().decode("latin-1"),
    ],
)
def test_without_it_nobody_is_let_in_and_it_is_not_told(said: str) -> None:
    told = refused({**LOCAL, "authorization": said}, 401, "invalid_api_key", key=KEY)
    assert told["www-authenticate"] == "Bearer"
    assert KEY not in str(told)


def test_open_paths_need_no_key_but_a_right_host_and_origin() -> None:
    passed(LOCAL, path="/health", key=KEY)
    refused({"host": "evil.example"}, 403, "host_not_allowed", path="/health", key=KEY)
    wrong = {**LOCAL, "origin": "https://evil.example"}
    refused(wrong, 403, "origin_not_allowed", path="/health", key=KEY)
    for near in ("/health/", "/Health", "/healthy"):
        refused(LOCAL, 401, "invalid_api_key", path=near, key=KEY)


@pytest.mark.parametrize(
    ("raises", "status", "is_logged"),
    [
        (RequestError("messages is empty"), 400, False),
        (ArmUnavailable("asleep", arm="edge"), 503, True),
        (ZeroDivisionError("secret"), 500, True),
    ],
)
def test_what_an_endpoint_raises_is_told_and_only_the_servers_faults_are_logged(
    raises: Exception, status: int, is_logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        found, told, body = ask(Behind(raises=raises))
    assert found == status
    assert told.keys() >= SECURITY
    assert b"secret" not in body
    said = [record.getMessage() for record in caplog.records if record.name.endswith("guard")]
    assert said == [f"an endpoint failed: {type(raises).__name__}"] * is_logged
    assert "secret" not in caplog.text


def test_an_answer_that_was_begun_is_not_begun_again() -> None:
    found, _, body = ask(Behind(raises=ZeroDivisionError(), midway=True))
    assert (found, body) == (200, b"")


def test_what_is_no_request_passes_unlooked_at() -> None:
    behind = Behind(headers=())
    ask(behind, {"host": "evil.example"}, kind="lifespan", key=KEY)
    assert behind.calls == ["lifespan"]
