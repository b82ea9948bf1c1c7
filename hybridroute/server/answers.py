"""Plain HTTP answers: JSON, and errors in OpenAI's shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from hybridroute.server.api_errors import api_error_of
from hybridroute.server.wire import json_bytes


def json_answer(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """A JSON body."""
    return bytes_answer(json_bytes(body), status=status, headers=headers)


def bytes_answer(
    body: bytes,
    *,
    status: int = 200,
    media_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """A body that no cache keeps."""
    return Response(
        body,
        status_code=status,
        media_type=media_type,
        headers={"cache-control": "no-store", **(headers or {})},
    )


def error_answer(error: Exception) -> Response:
    """An error object, with its status."""
    told = api_error_of(error)
    return json_answer(told.to_dict(), status=told.status, headers=told.headers)
