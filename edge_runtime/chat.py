"""Chat requests and answers as every arm takes and gives them: OpenAI's shapes, frozen.

Field names follow OpenAI's chat-completions API so that ``to_dict()`` is what its clients expect.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from hybridroute.edge_runtime.errors import RequestError

Message = Mapping[str, Any]
"""One chat message as the application wrote it: ``{"role": ..., "content": ...}``."""

ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One chat request, checked at birth.

    ``None`` means "the arm's own default". ``extra`` holds body fields this package does not know;
    the cloud arm sends them on, the edge arm ignores them. ``timeout_s`` is for arms that wait for
    others, in place of their own limit on the whole answer.

    Raises
    ------
    RequestError
        If ``messages`` is empty or malformed, or a sampling value is out of range.
    """

    messages: tuple[Message, ...]
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | Mapping[str, Any] | None = None
    response_format: Mapping[str, Any] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None

    def __post_init__(self) -> None:
        _check_messages(self.messages)
        _check_range("temperature", self.temperature, 0.0, 2.0)
        _check_range("top_p", self.top_p, 0.0, 1.0)
        _check_whole("max_tokens", self.max_tokens, 1, None)
        _check_whole("n", self.n, 1, 128)
        _check_whole("seed", self.seed, None, None)
        _check_range("presence_penalty", self.presence_penalty, -2.0, 2.0)
        _check_range("frequency_penalty", self.frequency_penalty, -2.0, 2.0)
        _check_stop(self.stop)
        _check_range("timeout", self.timeout_s, 0.0, sys.float_info.max)
        if self.timeout_s == 0.0:
            raise RequestError("timeout is 0; give seconds, above 0", param="timeout")

    @property
    def has_images(self) -> bool:
        """Whether any message carries an image part."""
        return any(
            isinstance(part, Mapping) and part.get("type") in ("image_url", "input_image")
            for message in self.messages
            if isinstance(message.get("content"), (list, tuple))
            for part in message["content"]
        )

    @property
    def has_logit_bias(self) -> bool:
        """Whether ``extra`` makes tokens likelier or less likely."""
        return bool(self.extra.get("logit_bias"))

    @property
    def wants_web_search(self) -> bool:
        """Whether ``extra`` asks for a search; empty options ask for one too."""
        return self.extra.get("web_search_options") is not None

    @property
    def wants_json(self) -> bool:
        """Whether ``response_format`` asks for JSON."""
        wanted = (self.response_format or {}).get("type", "text")
        return wanted in ("json_object", "json_schema")


def _check_messages(messages: Sequence[Message]) -> None:
    if not messages:
        raise RequestError("messages is empty; give at least one user message", param="messages")
    for position, message in enumerate(messages):
        _check_mapping(f"messages[{position}]", message)
        role = message.get("role")
        if not isinstance(role, str) or role not in ROLES:
            name = f"messages[{position}].role"
            raise RequestError(f"{name} is {role!r}; use one of {sorted(ROLES)}", param=name)
        content = message.get("content")
        if not (content is None or isinstance(content, (str, list, tuple))):
            name, kind = f"messages[{position}].content", type(content).__name__
            raise RequestError(f"{name} is a {kind}; give text or parts", param=name)


def _check_mapping(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        kind = type(value).__name__
        raise RequestError(f"{name} is a {kind}; give a mapping with role", param=name)


def _check_stop(stop: object) -> None:
    if not isinstance(stop, (tuple, list)):
        kind = type(stop).__name__
        raise RequestError(f"stop is a {kind}; give a tuple of strings", param="stop")
    if any(not isinstance(text, str) or not text for text in stop):
        raise RequestError(
            "stop holds an empty or non-text string; give non-empty strings", param="stop"
        )


def _check_whole(name: str, value: float | None, low: int | None, high: int | None) -> None:
    _check_range(name, value, low, high)
    if value is not None and not isinstance(value, int):
        raise RequestError(f"{name} is {value!r}; give a whole number", param=name)


def _check_range(name: str, value: float | None, low: float | None, high: float | None) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise RequestError(f"{name} is {value!r}; give a number", param=name)
    if low is not None and (not value >= low or (high is not None and value > high)):
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise RequestError(f"{name} is {value!r}; it must be {limits}", param=name)


def text_of(message: Message) -> str:
    """The plain text of one message: its string, or its text parts joined by newlines."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if not content:
        return ""
    parts = (part.get("text") for part in content if isinstance(part, Mapping))
    return "\n".join(text for text in parts if isinstance(text, str))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Token counts of one answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerMessage:
    """The assistant's message."""

    role: str = "assistant"
    content: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the ``n`` answers."""

    index: int = 0
    message: AnswerMessage
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A whole answer (OpenAI's ``chat.completion``)."""

    id: str
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: Usage | None = None
    object: str = "chat.completion"

    def to_dict(self) -> dict[str, Any]:
        """The OpenAI-shaped JSON object."""
        held: dict[str, Any] = plain(self)
        return held


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What one chunk adds to the message."""

    role: str | None = None
    content: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkChoice:
    """One choice's part of a chunk."""

    index: int = 0
    delta: Delta
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionChunk:
    """A piece of a streamed answer (OpenAI's ``chat.completion.chunk``)."""

    id: str
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: Usage | None = None
    object: str = "chat.completion.chunk"

    def to_dict(self) -> dict[str, Any]:
        """The OpenAI-shaped JSON object."""
        held: dict[str, Any] = plain(self)
        return held


_OMIT_WHEN_NONE = frozenset({"tool_calls", "usage"})


def plain(value: Any) -> Any:
    """Turn nested dataclasses, mappings and tuples into dicts and lists, ready for ``json``."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((item.name, getattr(value, item.name)) for item in fields(value))
        return {
            name: plain(held)
            for name, held in pairs
            if held is not None or name not in _OMIT_WHEN_NONE
        }
    if isinstance(value, Mapping):
        return {key: plain(held) for key, held in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(held) for held in value]
    return value
