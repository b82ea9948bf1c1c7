"""One response of one arm to one prompt, and its JSON object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.magnitude import fault_of
from hybridroute.training.outcomes import Prompt

_TEXTS = ("id", "arm", "model", "finish_reason")
_OPTIONAL_TEXTS = ("domain", "reference", "error", "response", "settings")
_KEYS = frozenset(
    {*_TEXTS, *_OPTIONAL_TEXTS, "prompt", "extra", "sample", "seed", "temperature", "max_tokens"}
    | {"usage", "cost_usd", "latency_ms"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response of one arm to one prompt.

    Parameters
    ----------
    id : str
        The prompt's.
    prompt : str or tuple of messages
    domain, reference : str or None
    extra : mapping
        The prompt's unknown keys, kept as read.
    arm, model : str
        The arm's name, and the model behind it.
    sample : int
        From 0.
    seed : int or None
        What the arm was asked to draw with.
    temperature : float or None
    max_tokens : int or None
    settings : str
        A short hash of everything that shapes the arm's answers; "" where unknown.
    response : str or None
        The answer, None exactly where ``error`` is given.
    finish_reason : str
        ``"stop"``, ``"length"``, ``"error"``, or what the endpoint said.
    prompt_tokens, completion_tokens : int or None
    cost_usd : float or None
        US dollars, where a price is known.
    latency_ms : float or None
        From the call to the whole answer, other answers being generated at the same time.
    error : str or None
        Why there is no response.

    Raises
    ------
    DataError
        Names the field.
    """

    id: str
    prompt: Prompt
    domain: str | None = None
    reference: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    arm: str
    model: str
    sample: int
    seed: int | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    settings: str = ""
    response: str | None
    finish_reason: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None
    latency_ms: float | None = None
    error: str | None = None

    def __post_init__(self) -> None:
        for name in ("id", "arm"):
            if not getattr(self, name):
                raise DataError(f"{name} is empty; give a name")
        if (self.response is None) is (self.error is None):
            raise DataError("response and error: give one of them, and null for the other")
        if self.sample < 0:
            raise DataError(f"sample is {self.sample}; count from 0")
        for name in ("cost_usd", "latency_ms", "temperature"):
            value = getattr(self, name)
            if value is not None and (fault := fault_of(value, low=0.0)):
                raise DataError(f"{name} {fault}")

    @property
    def key(self) -> tuple[str, str, int]:
        """Prompt, arm and sample: one response each."""
        return self.id, self.arm, self.sample

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of one line; what is None or empty is left out, ``response`` is not."""
        held: dict[str, Any] = {"id": self.id, "prompt": plain(self.prompt)}
        for name in ("domain", "reference"):
            if getattr(self, name) is not None:
                held[name] = getattr(self, name)
        if self.extra:
            held["extra"] = plain(self.extra)
        held |= {"arm": self.arm, "model": self.model, "sample": self.sample, "seed": self.seed}
        for name in ("temperature", "max_tokens"):
            if getattr(self, name) is not None:
                held[name] = getattr(self, name)
        if self.settings:
            held["settings"] = self.settings
        held |= {"response": self.response, "finish_reason": self.finish_reason}
        if self.prompt_tokens is not None or self.completion_tokens is not None:
            held["usage"] = {
                "prompt_tokens": self.prompt_tokens,
                "completion_tokens": self.completion_tokens,
            }
        for name in ("cost_usd", "latency_ms", "error"):
            if getattr(self, name) is not None:
                held[name] = getattr(self, name)
        return held

    def to_line(self) -> bytes:
        """The line of the file, its line feed included.

        Raises
        ------
        DataError
            If the prompt's unknown keys hold what JSON cannot.
        """
        held = self.to_dict()
        try:
            text = json.dumps(held, ensure_ascii=False, allow_nan=False)
        except (ValueError, TypeError) as exc:
            raise DataError(f"prompt {self.id!r} has no JSON form ({exc}); mend its keys") from exc
        try:
            return f"{text}\n".encode()
        except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form, only an escape
            return f"{json.dumps(held)}\n".encode()


def parse_response(held: Any) -> Response:
    """Check and build one response from parsed JSON.

    Raises
    ------
    DataError
        Names the field.
    """
    if not isinstance(held, dict):
        raise DataError(f"the line is a {type(held).__name__}; an object is expected")
    unknown = sorted(held.keys() - _KEYS)
    if unknown:
        raise DataError(f"the keys {unknown} are not of a responses file; put them below extra")
    usage = _of_kind(held, "usage", dict, "an object") or {}
    return Response(
        id=_text(held, "id"),
        prompt=_prompt(held),
        domain=_optional_text(held, "domain"),
        reference=_optional_text(held, "reference"),
        extra=_of_kind(held, "extra", dict, "an object") or {},
        arm=_text(held, "arm"),
        model=_text(held, "model"),
        sample=_whole(held, "sample", needed=True) or 0,
        seed=_whole(held, "seed"),
        temperature=_number(held, "temperature"),
        max_tokens=_whole(held, "max_tokens"),
        settings=_optional_text(held, "settings") or "",
        response=_optional_text(held, "response"),
        finish_reason=_text(held, "finish_reason"),
        prompt_tokens=_whole(usage, "prompt_tokens"),
        completion_tokens=_whole(usage, "completion_tokens"),
        cost_usd=_number(held, "cost_usd"),
        latency_ms=_number(held, "latency_ms"),
        error=_optional_text(held, "error"),
    )


def _prompt(held: dict[str, Any]) -> Prompt:
    prompt = held.get("prompt")
    if isinstance(prompt, list):
        return tuple(prompt)
    if not isinstance(prompt, str):
        raise DataError(f"prompt is a {type(prompt).__name__}; give text or a list of messages")
    return prompt


def _text(held: dict[str, Any], name: str) -> str:
    if name not in held:
        raise DataError(f"{name} is missing; add it")
    if not isinstance(held[name], str):
        raise DataError(f"{name} is a {type(held[name]).__name__}; give text")
    return str(held[name])


def _optional_text(held: dict[str, Any], name: str) -> str | None:
    return None if held.get(name) is None else _text(held, name)


def _of_kind(held: dict[str, Any], name: str, kind: type, what: str) -> Any:
    value = held.get(name)
    if value is not None and not isinstance(value, kind):
        raise DataError(f"{name} is a {type(value).__name__}; give {what}")
    return value


def _whole(held: dict[str, Any], name: str, *, needed: bool = False) -> int | None:
    value = held.get(name)
    if value is None and not needed:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise DataError(f"{name} is a {type(value).__name__}; give a whole number")
    return value


def _number(held: dict[str, Any], name: str) -> float | None:
    value = held.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{name} is a {type(value).__name__}; give a number")
    return float(value)
