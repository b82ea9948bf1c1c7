"""Answers and Decisions as bytes: JSON bodies, headers, server-sent events."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from starlette.types import Send

from hybridroute.async_stream import AsyncChatStream
from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import HybridRouteError
from hybridroute.responses import ChatCompletion, ChatCompletionChunk, openai_body
from hybridroute.server.api_errors import api_error_of

DONE = b"data: [DONE]\n\n"
EXPOSED = tuple(
    f"x-hybridroute-{name}"
    for name in (
        *("id", "arm", "model", "reason", "mode", "score", "threshold", "setting", "calibrated"),
        *("fallback-from", "router-ms"),
    )
)


def json_bytes(body: Any) -> bytes:
    """Compact JSON in ASCII, so that a lone surrogate in an answer does no harm."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode("ascii")


def decision_body(decision: Decision) -> dict[str, Any]:
    """The Decision's fields, and its explanation in one sentence."""
    return {**decision.to_dict(), "explanation": decision.explain()}


def decision_headers(decision: Decision) -> dict[str, str]:
    """The Decision as ``x-hybridroute-*`` headers; what is null has none. Text is URL-quoted."""
    values = {
        "id": decision.id,
        "arm": decision.arm,
        "model": decision.model,
        "reason": decision.reason,
        "mode": decision.mode,
        "score": None if decision.score is None else f"{decision.score:.6f}",
        "threshold": None if decision.threshold is None else f"{decision.threshold:.6f}",
        "setting": _setting_text(decision),
        "calibrated": "true" if decision.calibrated else "false",
        "fallback-from": decision.fallback_from,
        "router-ms": f"{decision.latency_ms:.3f}",
    }
    return {
        f"x-hybridroute-{name}": quote(value, safe=" ,:;/=+@._-")
        for name, value in values.items()
        if value is not None
    }


def _setting_text(decision: Decision) -> str:
    kind = decision.setting_kind
    if kind == "promise":
        return "promise" if decision.promise is None else f"promise={decision.promise.max_drop:g}"
    return f"{kind}={decision.threshold if kind == 'threshold' else getattr(decision, kind):g}"


def completion_bytes(answer: ChatCompletion) -> bytes:
    """A whole answer: OpenAI's body and the Decision."""
    return json_bytes({**openai_body(answer), "hybridroute": decision_body(answer.hybridroute)})


def event(body: Any) -> bytes:
    """One server-sent event."""
    return b"data: " + json_bytes(body) + b"\n\n"


class StreamWriter:
    """A stream's chunks as server-sent events, the Decision in each.

    Parameters
    ----------
    send : callable
        ASGI's.
    include_usage : bool
        Whether the caller asked for the token counts: one more chunk, without choices, at the end.
        They are in no other.
    """

    def __init__(self, send: Send, *, include_usage: bool) -> None:
        self._send = send
        self._include_usage = include_usage
        self._decision: Decision | None = None
        self._decision_json = b""
        self._last: ChatCompletionChunk | None = None

    async def begin(self, decision: Decision) -> None:
        """Status and headers; from here on nothing but events can be said."""
        headers = {
            "content-type": "text/event-stream; charset=utf-8",
            "cache-control": "no-store",
            "x-accel-buffering": "no",
            **decision_headers(decision),
        }
        await self._send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(key.encode(), value.encode()) for key, value in headers.items()],
            }
        )

    async def write_all(self, stream: AsyncChatStream) -> None:
        """Every chunk, and the end. An arm's failure is an event, the last one."""
        try:
            async for chunk in stream:
                await self.write(chunk)
        except HybridRouteError as exc:
            await self._put(event(api_error_of(exc).to_dict()), more=False)
            return
        if self._include_usage and self._last is not None:
            body = {**openai_body(self._last), "choices": [], "usage": plain(stream.usage)}
            await self._put(self._with_decision(body, stream.decision))
        await self._put(DONE, more=False)

    async def write(self, chunk: ChatCompletionChunk) -> None:
        """One chunk; the token counts come at the end."""
        self._last = chunk
        body = openai_body(chunk)
        body.pop("usage", None)
        if self._include_usage:
            body["usage"] = None
        await self._put(self._with_decision(body, chunk.hybridroute))

    def _with_decision(self, body: dict[str, Any], decision: Decision) -> bytes:
        if decision is not self._decision:
            # One for all chunks of an answer: it is turned into text once.
            self._decision = decision
            self._decision_json = json_bytes(decision_body(decision))
        head = json_bytes(body)[:-1]
        return b"data: " + head + b',"hybridroute":' + self._decision_json + b"}\n\n"

    async def _put(self, data: bytes, *, more: bool = True) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
