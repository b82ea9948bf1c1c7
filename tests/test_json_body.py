"""A body up to its limit, in its time, and as JSON that the rest can rely on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from hybridroute.server.api_errors import ApiError
from hybridroute.server.json_body import DEEPEST, ClientGone, json_object, read_body

JSON = {"content-type": "application/json"}


def read(*events: Any, headers: Mapping[str, str] | None = None, limit: int = 10) -> bytes:
    """The body made of these events; an exception among them is raised."""
    left = list(events)

    async def receive() -> Any:
        event = left.pop(0)
        if isinstance(event, type):
            raise event
        return event

    return asyncio.run(read_body(receive, headers or {}, limit=limit, timeout_s=5.0))


def piece(body: bytes, *, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_the_pieces_are_put_together() -> None:
    assert read(piece(b"ab"), piece(b""), piece(b"c", more=False)) == b"abc"
    assert read({"type": "http.request"}) == b""


def test_a_body_as_long_as_the_limit_is_read_and_none_longer() -> None:
    assert read(piece(b"x" * 4), piece(b"x" * 6, more=False)) == b"x" * 10
    with pytest.raises(ApiError, match="longer than 10 bytes") as caught:
        read(piece(b"x" * 4), piece(b"x" * 7), AssertionError)
    assert (caught.value.status, caught.value.code) == (413, "request_too_large")
    assert caught.value.headers == {"connection": "close"}


@pytest.mark.parametrize(("announced", "is_refused"), [("11", True), ("10", False)])
def test_a_body_announced_as_too_long_is_refused_unread(announced: str, is_refused: bool) -> None:
    headers = {"content-length": announced}
    if is_refused:
        with pytest.raises(ApiError, match="longer than 10 bytes"):
            read(AssertionError, headers=headers)
    else:
        assert read(piece(b"x", more=False), headers=headers) == b"x"


@pytest.mark.parametrize("announced", ["", "many", "-5", "1e9", "²", "9" * 5000])
def test_an_announcement_that_is_no_number_counts_for_nothing(announced: str) -> None:
    assert read(piece(b"x", more=False), headers={"content-length": announced}) == b"x"
    with pytest.raises(ApiError, match="longer than 10 bytes"):
        read(piece(b"x" * 11), headers={"content-length": announced})


def test_a_caller_who_left_is_nobody_to_answer() -> None:
    with pytest.raises(ClientGone):
        read(piece(b"ab"), {"type": "http.disconnect"})


def test_a_body_that_does_not_come_ends_in_408() -> None:
    async def never() -> Any:
        await asyncio.Event().wait()

    with pytest.raises(ApiError, match="did not arrive within 0 s") as caught:
        asyncio.run(read_body(never, {}, limit=10, timeout_s=0.0))
    assert (caught.value.status, caught.value.code) == (408, "request_timeout")
    assert caught.value.headers == {"connection": "close"}


@pytest.mark.parametrize(
    "kind",
    ["application/json", "application/json; charset=utf-8", " APPLICATION/JSON ;x=y"],
)
def test_json_is_taken(kind: str) -> None:
    assert json_object(b' {"a": [1, "\xc3\xa9"]} ', {"content-type": kind}) == {"a": [1, "é"]}


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
)
def test_what_browsers_send_unasked_is_refused(kind: str) -> None:
    for headers in ({"content-type": kind}, {}):
        with pytest.raises(ApiError, match="send application/json") as caught:
            json_object(b"{}", headers)
        assert (caught.value.status, caught.value.code) == (415, "unsupported_media_type")


def test_a_content_type_is_told_back_only_in_part() -> None:
    with pytest.raises(ApiError) as caught:
        json_object(b"{}", {"content-type": "x" * 5000})
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "not JSON at character 0"),
        (b'{"a": }', "not JSON at character 6"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": Infinity}', "not JSON"),
        (b'{"a": 1e999}', "not JSON"),
        (b'{"a": -Infinity}', "not JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
        (b"[1]", "a JSON list"),
        (b'"secret"', "a JSON str"),
        (b"null", "a JSON NoneType"),
    ],
)
def test_what_is_no_json_object_is_refused_and_not_quoted(body: bytes, said: str) -> None:
    with pytest.raises(ApiError, match=said) as caught:
        json_object(body, JSON)
    assert caught.value.status == 400
    assert "secret" not in str(caught.value)
    assert "999" not in str(caught.value)
    # Neither do its causes, which a log may print.
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("opens", ["[", '{"a":'])
def test_nesting_is_taken_up_to_the_deepest(opens: str) -> None:
    """The object itself is the first level."""

    def nested(levels: int) -> bytes:
        closes = "]" if opens == "[" else "}"
        inner = levels - 1
        last = "1" if opens == "[" or not inner else "{}"
        if opens != "[":
            return (opens * inner + last + closes * inner).encode()
        return ('{"a":' + opens * inner + last + closes * inner + "}").encode()

    assert json.loads(nested(DEEPEST)) == json_object(nested(DEEPEST), JSON)
    for levels in (DEEPEST + 1, DEEPEST + 2, 100_000):
        with pytest.raises(ApiError, match=f"more than {DEEPEST} levels deep") as caught:
            json_object(nested(levels), JSON)
        assert caught.value.status == 400


def test_a_wide_body_is_not_a_deep_one() -> None:
    wide = {"a": [[] for _ in range(1000)], "b": {str(at): {} for at in range(1000)}}
    assert json_object(json.dumps(wide).encode(), JSON) == wide
