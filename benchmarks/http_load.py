"""Requests over plain asyncio streams: a client that costs little beside what it measures."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from dataclasses import dataclass
from typing import Any

from benchmarks.loopback import read_message

QUESTION = "A train travels 60 miles in one hour and a half. What is its speed in miles per hour?"
PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Where one kind of request goes, and what it says."""

    url: str
    fields: dict[str, Any]

    def message(self) -> bytes:
        """The HTTP request."""
        body = {"messages": [{"role": "user", "content": QUESTION}], **self.fields}
        data = json.dumps(body, separators=(",", ":")).encode()
        host = self.url.removeprefix("http://").encode()
        head = b"POST %s HTTP/1.1\r\nhost: %s\r\ncontent-type: application/json\r\n"
        head = head % (PATH.encode(), host)
        return head + b"content-length: %d\r\n\r\n%s" % (len(data), data)


class Line:
    """One kept-alive connection."""

    def __init__(self, asked: Asked) -> None:
        self._address = asked.url.removeprefix("http://").split(":")
        self._message = asked.message()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> bytes:
        """One request; the body of its answer, which must be a 200."""
        if self._streams is None or self._streams[0].at_eof():
            host, port = self._address
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        writer.write(self._message)
        head, body = await read_message(reader)
        if not head.startswith(b"HTTP/1.1 200"):
            raise AssertionError((head + body)[:300])
        return body

    def close(self) -> None:
        """Close it."""
        if self._streams is not None:
            self._streams[1].close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What became of the requests: failures, times in milliseconds, seconds behind the rate."""

    errors: int
    p50: float
    p99: float
    behind_s: float


async def held_rate(asked: Asked, rate: int, seconds: float) -> Load:
    """Requests begun at a fixed rate, whether or not the ones before have been answered."""
    idle: list[Line] = []
    times: list[float] = []
    errors = 0

    async def one() -> None:
        nonlocal errors
        line = idle.pop() if idle else Line(asked)
        start = time.perf_counter()
        try:
            await line.ask()
        except (AssertionError, OSError, asyncio.IncompleteReadError):
            errors += 1
            line.close()
            return
        times.append((time.perf_counter() - start) * 1000.0)
        idle.append(line)

    start = time.perf_counter()
    tasks = []
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        tasks.append(asyncio.create_task(one()))
    await asyncio.gather(*tasks)
    behind = time.perf_counter() - start - seconds
    for line in idle:
        line.close()
    ordered = sorted(times) or [0.0]
    p99 = ordered[int(len(ordered) * 0.99)]
    return Load(errors=errors, p50=statistics.median(ordered), p99=p99, behind_s=max(0.0, behind))
