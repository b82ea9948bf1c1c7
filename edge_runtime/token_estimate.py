"""About how many tokens a prompt has, where no tokenizer is at hand."""

from __future__ import annotations

import json
from collections.abc import Sequence

from hybridroute.edge_runtime.chat import Message, plain, text_of


def estimated_tokens(messages: Sequence[Message]) -> int:
    """A quarter of the prompt's UTF-8 bytes and 4 a message, plus 3.

    OpenAI's rule of thumb of four characters a token; counting bytes keeps it from falling far
    short in scripts of one token a character.
    """
    total = 3
    for message in messages:
        text = text_of(message)
        if message.get("tool_calls"):
            text += json.dumps(plain(message["tool_calls"]), default=str)
        total += 4 + tokens_of(len(text.encode("utf-8", "surrogatepass")))
    return total


def tokens_of(utf8_bytes: int) -> int:
    """About how many tokens a text of so many bytes has."""
    return (utf8_bytes + 3) // 4
