"""Server-sent events from byte chunks, however the chunks are cut.

The WHATWG HTML standard, section 9.2 "Server-sent events", with one difference: an event that the
end of the stream leaves without its blank line is still given, since servers are known to end with
``data: [DONE]`` and nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class SseEvent:
    """One event that holds data.

    Parameters
    ----------
    data : str
        The data lines, joined by newlines.
    event : str
        The event's type; ``"message"`` where none was sent.
    line : int
        Number of its first data line in the stream, from 1.
    """

    data: str
    event: str = "message"
    line: int


def events(chunks: Iterable[bytes]) -> Iterator[SseEvent]:
    """Read events as soon as their blank line arrives.

    Bytes that are not UTF-8 become U+FFFD; comments, ``id`` and ``retry`` are skipped.
    """
    data: list[str] = []
    kind, first = "", 0
    for number, raw in enumerate(lines(chunks), start=1):
        line = raw.removeprefix(_BOM) if number == 1 else raw
        if not line:
            if data:
                yield SseEvent(data="\n".join(data), event=kind or "message", line=first)
            data, kind = [], ""
            continue
        name, _, value = line.decode("utf-8", errors="replace").partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            first = first if data else number
            data.append(value)
        elif name == "event":
            kind = value
    if data:
        yield SseEvent(data="\n".join(data), event=kind or "message", line=first)


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    r"""Cut bytes into lines at ``\n``, ``\r`` and ``\r\n``, terminators left out.

    A ``\r`` at the end of a chunk ends its line at once; a ``\n`` that follows belongs to it. A
    last line without terminator is given when the chunks end.
    """
    parts: list[bytes] = []
    after_return = False
    for chunk in chunks:
        rest = chunk[1:] if after_return and chunk.startswith(b"\n") else chunk
        after_return = rest.endswith(b"\r") or (after_return and not chunk)
        for piece in rest.splitlines(keepends=True):
            parts.append(piece)
            if piece.endswith((b"\n", b"\r")):
                yield b"".join(parts).rstrip(b"\r\n")
                parts = []
    if parts:
        yield b"".join(parts)
