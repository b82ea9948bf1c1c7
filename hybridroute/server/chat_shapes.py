"""Shapes inside a chat body, by OpenAI's own limits: what is accepted is also understood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hybridroute.openai_fields import SENT_ON
from hybridroute.server.api_errors import ApiError

_MESSAGE_FIELDS = frozenset(
    {
        *("role", "content", "name", "tool_calls", "tool_call_id"),
        # Of answers that a caller hands back as they came.
        *("refusal", "audio", "annotations", "function_call"),
    }
)
_WORDS = {dict: "an object", Mapping: "an object", bool: "true or false", str: "text"}
_CHOICES = ("none", "auto", "required")
_CHOICE_KINDS = ("function", "custom", "allowed_tools")
_MOST_STOPS = 4
_MOST_PAIRS, _LONGEST_KEY, _LONGEST_VALUE = 16, 64, 512


def check_shapes(body: Mapping[str, Any]) -> None:
    """Check what lies inside the fields of a body whose messages are known to be messages.

    Raises
    ------
    ApiError
        400, with the field's name.
    """
    for name, kind in SENT_ON.items():
        _check_kind(name, body.get(name), kind)
    for position, message in enumerate(body["messages"]):
        _check_message(f"messages[{position}]", message)
    _check_metadata(body.get("metadata") or {})
    _check_tool_choice(body.get("tool_choice"))
    stop = body.get("stop")
    if isinstance(stop, Sequence) and not isinstance(stop, str) and len(stop) > _MOST_STOPS:
        raise refused("stop", f"holds {len(stop)} texts; give at most {_MOST_STOPS}")


def check_flags(name: str, held: Mapping[str, Any], known: Sequence[str]) -> None:
    """Check that an object holds flags of these names and nothing else."""
    for key, value in held.items():
        if key not in known:
            raise _unknown(f"{name}.{key[:80]}", known)
        _check_kind(f"{name}.{key}", value, bool)


def refused(param: str, what: str) -> ApiError:
    """The error of one field."""
    return ApiError(400, f"{param} {what}", param=param)


def _unknown(param: str, known: Sequence[str]) -> ApiError:
    return ApiError(
        400,
        f"{param} is not known here; there are {', '.join(known)}",
        code="unknown_parameter",
        param=param,
    )


def _check_kind(param: str, value: Any, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        raise refused(param, f"is of type {type(value).__name__}; give {_WORDS[kind]}")


def _check_message(param: str, message: Mapping[str, Any]) -> None:
    for key in message:
        if key not in _MESSAGE_FIELDS:
            raise _unknown(f"{param}.{key[:80]}", sorted(_MESSAGE_FIELDS))
    for key in ("name", "tool_call_id", "refusal"):
        _check_kind(f"{param}.{key}", message.get(key), str)
    content = message.get("content")
    for position, part in enumerate(content if isinstance(content, (list, tuple)) else ()):
        if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
            where = f"{param}.content[{position}]"
            raise refused(
                where, 'is not a part; give an object such as {"type": "text", "text": ""}'
            )
    calls = message.get("tool_calls")
    if calls is not None and not isinstance(calls, list):
        raise refused(f"{param}.tool_calls", f"is of type {type(calls).__name__}; give a list")
    for position, call in enumerate(calls or ()):
        _check_call(f"{param}.tool_calls[{position}]", call)


def _check_call(param: str, call: Any) -> None:
    called = call.get("function", call.get("custom")) if isinstance(call, Mapping) else None
    if not isinstance(called, Mapping) or not isinstance(called.get("name"), str):
        raise refused(
            param, "is not a call; give an object with id, type and a function with a name"
        )
    _check_kind(f"{param}.id", call.get("id"), str)


def _check_metadata(held: Mapping[str, Any]) -> None:
    if len(held) > _MOST_PAIRS:
        raise refused("metadata", f"holds {len(held)} pairs; give at most {_MOST_PAIRS}")
    for key, value in held.items():
        if len(key) > _LONGEST_KEY or not isinstance(value, str) or len(value) > _LONGEST_VALUE:
            raise refused(
                "metadata",
                f"holds a pair that is too long or no text; give names of at most {_LONGEST_KEY} "
                f"characters and texts of at most {_LONGEST_VALUE}",
            )


def _check_tool_choice(choice: Any) -> None:
    if choice is None or (isinstance(choice, str) and choice in _CHOICES):
        return
    if isinstance(choice, Mapping) and choice.get("type") in _CHOICE_KINDS:
        kind = choice["type"]
        named = choice.get(kind)
        wants_name = kind != "allowed_tools"
        if isinstance(named, Mapping) and (not wants_name or isinstance(named.get("name"), str)):
            return
    said = f"{choice[:40]!r}" if isinstance(choice, str) else "not understood"
    raise refused(
        "tool_choice",
        f"is {said}; give one of {', '.join(_CHOICES)}, or an object such as "
        '{"type": "function", "function": {"name": "..."}}',
    )
