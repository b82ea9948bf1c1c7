"""A behaviour of the scripted server that serves one file, well or badly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import cloud_server as play


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFile:
    """One file over HTTP.

    ``cut_after`` ends the connection after so many bytes of the body; ``stall_after`` sends nothing
    more and waits. Without ``ranges`` a Range is ignored.
    """

    data: bytes
    etag: str | None = '"v1"'
    ranges: bool = True
    cut_after: int | None = None
    stall_after: int | None = None
    lie_range: bool = False

    def __call__(self, visit: play.Visit) -> bool:
        start = self._start(visit.seen.headers)
        if start is not None and start >= len(self.data):
            visit.send(play.head(416, content_length="0"))
            return True
        headers: dict[str, Any] = {"content_length": str(len(self.data) - (start or 0))}
        if self.etag is not None:
            headers["etag"] = self.etag
        if start is None:
            visit.send(play.head(200, **headers))
        else:
            first = 0 if self.lie_range else start
            span = f"bytes {first}-{len(self.data) - 1}/{len(self.data)}"
            visit.send(play.head(206, content_range=span, **headers))
        return self._body(visit, self.data[start or 0 :])

    def _body(self, visit: play.Visit, body: bytes) -> bool:
        if self.cut_after is not None:
            visit.send(body[: self.cut_after])
            return False
        if self.stall_after is not None:
            visit.send(body[: self.stall_after])
            visit.until_gone()
            return False
        visit.send(body)
        return True

    def _start(self, headers: Any) -> int | None:
        asked = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if asked is None or not self.ranges:
            return None
        if headers.get("if-range", self.etag) != self.etag:
            return None
        return int(asked[1])


def redirect(location: str, status: int = 302) -> play.Behaviour:
    """An answer that sends the client elsewhere."""
    return play.raw(play.head(status, location=location, content_length="0"))
