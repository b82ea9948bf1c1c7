"""What a command prints: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

_KEPT_CONTROLS = frozenset("\n\t")


def say(text: str) -> None:
    """One line for the person at the terminal, on stderr."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def progress(text: str) -> None:
    """A line of progress, on stderr and only where a person reads it."""
    if sys.stderr.isatty():
        say(text)


def print_json(document: Any, *, one_line: bool = False) -> None:
    """One JSON document on stdout, and a newline."""
    is_utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    text = json.dumps(
        document, ensure_ascii=not is_utf8, indent=None if one_line else 2, allow_nan=False
    )
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def console(*, stderr: bool = False) -> Console:
    """A rich console; it honours NO_COLOR and COLUMNS, and prints plain text into a pipe."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False)


def printable(text: str) -> str:
    """The text without control characters: an answer must not steer the terminal."""
    return "".join(char for char in text if char.isprintable() or char in _KEPT_CONTROLS)
