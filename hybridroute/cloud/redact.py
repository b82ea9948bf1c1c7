"""What a server says, made fit for an error message."""

from __future__ import annotations

from collections.abc import Iterable

SHORTEST_SECRET = 4
SHORTEST_PROMPT = 8
"""Shorter ones are not looked for: they would match plain words."""

LONGEST_MESSAGE = 400


class Redactor:
    """Takes keys, header values and prompt texts out of a server's words."""

    def __init__(self, secrets: Iterable[str], prompts: Iterable[str] = ()) -> None:
        self._secrets = _longest_first(secrets, SHORTEST_SECRET)
        self._prompts = _longest_first(prompts, SHORTEST_PROMPT)

    def __call__(self, text: str) -> str:
        """The text in one printable line of at most 400 characters, secrets replaced."""
        for secret in self._secrets:
            text = text.replace(secret, "[redacted]")
        for prompt in self._prompts:
            text = text.replace(prompt, "[prompt]")
        # Control characters could drive the terminal that shows the message.
        line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 3] + "..."


def _longest_first(texts: Iterable[str], shortest: int) -> tuple[str, ...]:
    kept = {text for text in texts if len(text) >= shortest}
    return tuple(sorted(kept, key=len, reverse=True))
