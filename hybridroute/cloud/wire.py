"""OpenAI's JSON: requests written, answers read.

Reading is lenient about what is missing (servers leave out ``id``, ``usage``, ``created``) and
never raises for the content of a JSON object.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hybridroute.cloud.settings import CloudSettings
from hybridroute.edge_runtime.chat import (
    AnswerMessage,
    ChatRequest,
    Choice,
    ChunkChoice,
    Completion,
    CompletionChunk,
    Delta,
    Usage,
    plain,
    text_of,
)
from hybridroute.edge_runtime.errors import RequestError

_RESERVED = frozenset({"messages", "stream", "model"})
_SAMPLING = ("temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")
_MOST_TOKENS = 10**9
"""No answer takes as many: a count above it is a fault of the server, and no cost is made of it."""


def request_body(request: ChatRequest, settings: CloudSettings, *, stream: bool) -> bytes:
    """The JSON body, ASCII only, so that lone surrogates pass.

    Raises
    ------
    RequestError
        If ``extra`` names a field that is not its own, or the request holds what JSON cannot.
    """
    taken = _RESERVED & set(request.extra)
    if taken:
        raise RequestError(f"extra holds {sorted(taken)}; these are set by the client itself")
    body: dict[str, Any] = {"model": settings.model, "messages": plain(request.messages)}
    if request.max_tokens is not None:
        body[settings.max_tokens_field] = request.max_tokens
    values = {name: getattr(request, name) for name in _SAMPLING}
    values |= {"tool_choice": request.tool_choice, "response_format": request.response_format}
    values |= {"stop": request.stop or None, "tools": request.tools or None}
    values |= {"n": request.n if request.n > 1 else None}
    body |= {name: plain(value) for name, value in values.items() if value is not None}
    if stream:
        body["stream"] = True
        if settings.stream_usage:
            body["stream_options"] = {"include_usage": True}
    body |= plain(request.extra)
    try:
        return json.dumps(body, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as exc:
        raise RequestError(
            f"the request cannot be written as JSON ({type(exc).__name__}); use plain text, "
            "numbers, lists and mappings"
        ) from exc


def read_completion(payload: Mapping[str, Any], *, model: str, now: int) -> Completion:
    """A whole answer; ``model`` and ``now`` (epoch seconds) stand in for what is missing."""
    return Completion(
        id=_text(payload.get("id")) or "",
        created=_count(payload.get("created"), now),
        model=_text(payload.get("model")) or model,
        choices=tuple(
            Choice(
                index=_count(choice.get("index"), position),
                message=_message(_mapping(choice.get("message"))),
                finish_reason=_text(choice.get("finish_reason")),
            )
            for position, choice in enumerate(_mappings(payload.get("choices")))
        ),
        usage=_usage(payload.get("usage")),
    )


def is_answer(choice: Choice) -> bool:
    """Whether a choice says anything: a text, if an empty one, a tool call, or why it ended."""
    message = choice.message
    ended = choice.finish_reason is not None
    return ended or message.content is not None or message.tool_calls is not None


def read_chunk(payload: Mapping[str, Any], *, id: str, model: str, now: int) -> CompletionChunk:
    """One chunk; ``id``, ``model`` and ``now`` stand in for what is missing."""
    return CompletionChunk(
        id=_text(payload.get("id")) or id,
        created=_count(payload.get("created"), now),
        model=_text(payload.get("model")) or model,
        choices=tuple(
            ChunkChoice(
                index=_count(choice.get("index"), position),
                delta=_delta(_mapping(choice.get("delta"))),
                finish_reason=_text(choice.get("finish_reason")),
            )
            for position, choice in enumerate(_mappings(payload.get("choices")))
        ),
        usage=_usage(payload.get("usage")),
    )


def _message(message: Mapping[str, Any]) -> AnswerMessage:
    return AnswerMessage(
        role=_text(message.get("role")) or "assistant",
        content=_content(message),
        tool_calls=_mappings(message.get("tool_calls")) or None,
    )


def _delta(delta: Mapping[str, Any]) -> Delta:
    return Delta(
        role=_text(delta.get("role")),
        content=_content(delta),
        tool_calls=_mappings(delta.get("tool_calls")) or None,
    )


def _content(message: Mapping[str, Any]) -> str | None:
    content = message.get("content")
    return text_of(message) if isinstance(content, list) else _text(content)


def _usage(usage: Any) -> Usage | None:
    if not isinstance(usage, Mapping):
        return None
    prompt, answer = _tokens(usage.get("prompt_tokens")), _tokens(usage.get("completion_tokens"))
    if prompt is None or answer is None:
        return None
    total = _tokens(usage.get("total_tokens"))
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=answer,
        total_tokens=prompt + answer if total is None else total,
    )


def _tokens(value: Any) -> int | None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return value if is_whole and 0 <= value <= _MOST_TOKENS else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _count(value: Any, default: int) -> int:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return int(value) if is_number and 0 <= value < 1e18 else default


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> tuple[Mapping[str, Any], ...]:
    held = value if isinstance(value, list) else []
    return tuple(item for item in held if isinstance(item, Mapping))
