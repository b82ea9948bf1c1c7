"""Messages -> the text that is routed. Training and the device share this one rule.

What is routed is the human's request: the user's turns, newest last. System prompts, tool output
and the assistant's own turns say little about how hard the request is and much about the harness.
The tokenizer later cuts the text from the left, so the newest turn always survives.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from hybridroute.edge_runtime.chat import Message, text_of
from hybridroute.edge_runtime.clean_text import clean_text

TEXT_RULE = "user-turns-v1"
"""Stands in the manifest; a bundle made under another rule is refused."""

_TURN_SEPARATOR = "\n\n"


def routed_text(messages: Sequence[Message]) -> str:
    """The text of the user's turns, oldest first, a blank line between them; "" without any."""
    turns = (clean_text(text_of(message)).strip() for message in messages if _is_user(message))
    return _TURN_SEPARATOR.join(turn for turn in turns if turn)


def prompt_text(prompt: str | Sequence[Message]) -> str:
    """The routed text of an outcome table's prompt: plain text is one user turn."""
    if isinstance(prompt, str):
        return clean_text(prompt).strip()
    return routed_text(prompt)


def prompt_hash(text: str) -> str:
    """A short hash of a routed text: 16 hexadecimal digits of SHA-256, white space folded.

    It tells whether a prompt was seen in training without storing the prompt.
    """
    folded = " ".join(text.split())
    return hashlib.sha256(folded.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _is_user(message: Message) -> bool:
    return message.get("role") == "user"
