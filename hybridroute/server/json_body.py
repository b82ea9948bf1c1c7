"""A request's body: read up to a limit, and taken as JSON that the rest can rely on."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.types import Receive

from hybridroute.server.api_errors import ApiError
from hybridroute.whole_number import whole_number

DEEPEST = 64
"""Levels of nesting. Deeper JSON only exhausts whatever walks through it recursively."""


class ClientGone(Exception):
    """The caller closed the connection; there is nobody to answer."""


async def read_body(
    receive: Receive, headers: Mapping[str, str], *, limit: int, timeout_s: float
) -> bytes:
    """The whole body.

    Parameters
    ----------
    receive : callable
        ASGI's.
    headers : mapping of str to str
        Names in lower case.
    limit : int
        Bytes.
    timeout_s : float
        Seconds in which it has to arrive.

    Raises
    ------
    ApiError
        413 or 408; the connection is then closed.
    ClientGone
        If the caller went away.
    """
    announced = whole_number(headers.get("content-length", ""))
    if announced is not None and announced > limit:
        raise _too_long(limit)
    try:
        async with asyncio.timeout(timeout_s):
            return await _collected(receive, limit)
    except TimeoutError:
        raise ApiError(
            408,
            f"the body did not arrive within {timeout_s:g} s; send it at once",
            code="request_timeout",
            headers={"connection": "close"},
        ) from None


async def _collected(receive: Receive, limit: int) -> bytes:
    pieces, size = [], 0
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            raise ClientGone
        piece = event.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _too_long(limit)
        pieces.append(piece)
        if not event.get("more_body", False):
            return b"".join(pieces)


def _too_long(limit: int) -> ApiError:
    return ApiError(
        413,
        f"the body is longer than {limit} bytes; send less",
        code="request_too_large",
        headers={"connection": "close"},
    )


def json_object(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """The body as a JSON object.

    A content type other than JSON is refused: browsers send the others across origins unasked.

    Raises
    ------
    ApiError
        415, or 400 if it is no JSON object, nested too deeply, or holds NaN or a number of
        absurd length.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(
            415,
            f"the content type is {kind[:80]!r}; send application/json",
            code="unsupported_media_type",
        )
    try:
        held = json.loads(body, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as exc:
        # The error's own text may quote the body.
        where = f" at character {exc.pos}" if isinstance(exc, json.JSONDecodeError) else ""
        raise ApiError(400, f"the body is not JSON{where}; send a JSON object") from None
    if not isinstance(held, dict):
        raise ApiError(400, f"the body is a JSON {type(held).__name__}; send a JSON object")
    _check_depth(held)
    return held


def _check_depth(held: Any) -> None:
    level = [held]
    for _ in range(DEEPEST):
        level = [
            item
            for outer in level
            for item in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(item, (dict, list))
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ApiError:
    return ApiError(400, f"the body is nested more than {DEEPEST} levels deep; send flatter JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):  # as 1e999 is
        raise ValueError(text)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
