"""Messages as a llama.cpp engine takes them: plain roles, plain valid text."""

from __future__ import annotations

from collections.abc import Sequence

from hybridroute.edge_runtime.chat import Message, text_of
from hybridroute.edge_runtime.clean_text import clean_text
from hybridroute.edge_runtime.errors import ContextOverflow

_ROLE_FOR_TEMPLATE = {"developer": "system", "function": "tool"}


def clean_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Role and text of each message, as every chat template knows them."""
    return [
        {
            "role": _template_role(str(message["role"])),
            "content": clean_text(text_of(message)),
        }
        for message in messages
    ]


def _template_role(role: str) -> str:
    return _ROLE_FOR_TEMPLATE.get(role, role)


def context_overflow(*, prompt_tokens: int, context_tokens: int) -> ContextOverflow:
    """The error of a prompt that leaves no room for an answer."""
    return ContextOverflow(
        f"the prompt has {prompt_tokens} tokens and the model's context holds {context_tokens}, "
        "prompt and answer together; shorten the prompt or raise context_tokens"
    )
