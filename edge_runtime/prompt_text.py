"""Messages made safe for a llama.cpp engine: plain roles, plain valid text.

C strings end at NUL and llama.cpp's JSON refuses lone surrogates, so both become U+FFFD here, in
the one place every engine passes through.
"""

from __future__ import annotations

from collections.abc import Sequence

from hybridroute.edge_runtime.chat import Message, text_of
from hybridroute.edge_runtime.errors import ContextOverflow

_ROLE_FOR_TEMPLATE = {"developer": "system", "function": "tool"}


def clean_text(text: str) -> str:
    """The text with surrogate pairs joined, lone surrogates and NUL bytes replaced by U+FFFD."""
    joined = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return joined.replace("\0", "\ufffd")


def clean_messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Role and text of each message, as every chat template knows them."""
    return [
        {
            "role": _ROLE_FOR_TEMPLATE.get(message["role"], message["role"]),
            "content": clean_text(text_of(message)),
        }
        for message in messages
    ]


def context_overflow(*, prompt_tokens: int, context_tokens: int) -> ContextOverflow:
    """The error of a prompt that leaves no room for an answer."""
    return ContextOverflow(
        f"the prompt has {prompt_tokens} tokens and the model's context holds {context_tokens}, "
        "prompt and answer together; shorten the prompt or raise context_tokens"
    )
