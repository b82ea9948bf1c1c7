"""Answers with the Decision that led to them: OpenAI's shapes and one more key, ``hybridroute``."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import Completion, CompletionChunk, plain


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCompletion(Completion):
    """A whole answer, with its Decision. ``model`` is the model that really answered."""

    hybridroute: Decision

    @classmethod
    def of(cls, completion: Completion, decision: Decision) -> ChatCompletion:
        """The arm's answer with the Decision beside it."""
        return cls(**_shallow(completion), hybridroute=decision)

    def to_dict(self) -> dict[str, Any]:
        """The OpenAI-shaped JSON object, with the Decision under ``"hybridroute"``."""
        return _with_decision(self, self.hybridroute)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatCompletionChunk(CompletionChunk):
    """A piece of a streamed answer, with its Decision."""

    hybridroute: Decision

    @classmethod
    def of(cls, chunk: CompletionChunk, decision: Decision) -> ChatCompletionChunk:
        """The arm's chunk with the Decision beside it."""
        return cls(**_shallow(chunk), hybridroute=decision)

    def to_dict(self) -> dict[str, Any]:
        """The OpenAI-shaped JSON object, with the Decision under ``"hybridroute"``."""
        return _with_decision(self, self.hybridroute)


def openai_body(answer: ChatCompletion | ChatCompletionChunk) -> dict[str, Any]:
    """The OpenAI-shaped JSON object alone; without ``usage`` where there is none."""
    body = {name: plain(value) for name, value in _shallow(answer).items()}
    if body["usage"] is None:
        del body["usage"]
    return body


def _shallow(answer: Completion | CompletionChunk) -> dict[str, Any]:
    return {
        item.name: getattr(answer, item.name)
        for item in fields(answer)
        if item.name != "hybridroute"
    }


def _with_decision(
    answer: ChatCompletion | ChatCompletionChunk, decision: Decision
) -> dict[str, Any]:
    return {**openai_body(answer), "hybridroute": decision.to_dict()}
