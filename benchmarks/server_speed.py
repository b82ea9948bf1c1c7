"""The server beside its upstream called directly, and beside a server of RouteLLM's shape.

``python -m benchmarks.server_speed`` is the short run; ``--full`` holds each rate for 60 s and
sends 20,000 requests for the memory's row; ``--times`` asks one at a time and holds no load.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.http_load import QUESTION, Asked, Line, held_rate
from benchmarks.loopback import CHUNKS
from benchmarks.table import Report
from hybridroute import CloudSettings, HybridClient

ROUNDS = 300
STREAMS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long the load is held, in seconds (0: no load), and how many requests memory sees."""

    hold_s: float = 10.0
    requests: int = 2_000


def measure(effort: Effort | None = None) -> Report:
    """All measurements in one run, on servers that run side by side."""
    chosen = effort or Effort()
    with ExitStack() as held:
        upstream = held.enter_context(_started("-m", "benchmarks.loopback", "upstream"))["url"]
        shaped = held.enter_context(_started("-m", "benchmarks.loopback", "blocking", upstream))
        served = held.enter_context(_started("-c", _SERVE, *_FLAGS, f"{upstream}/v1"))
        _wait_until_ready(served["url"])
        plain = Asked(url=served["url"], fields={"mode": "only_in_cloud"})
        routed = Asked(url=served["url"], fields={"threshold": 1.01})
        rows = asyncio.run(
            _rows(
                {
                    "upstream": Asked(url=upstream, fields={}),
                    "server": plain,
                    "server, routed": routed,
                    "RouteLLM's shape": Asked(url=shaped["url"], fields={}),
                },
                chosen,
                {
                    "server": served["pid"],
                    "server, routed": served["pid"],
                    "RouteLLM's shape": shaped["pid"],
                },
            )
        )
    return Report(
        title="The server over an upstream that answers at once",
        header=("", "figure", "wanted"),
        rows=tuple(rows.rows),
        target="each row's",
        reached=rows.reached,
    )


_SERVE = "import sys; from hybridroute.cli import main; sys.argv[0] = 'hybridroute'; main()"
_FLAGS = (
    *("serve", "--json", "--port", "0", "--max-requests", "1000"),
    *("--cloud-model", "big", "--cloud-key-env", "", "--cloud-url"),
)


@contextmanager
def _started(*arguments: str) -> Iterator[dict[str, Any]]:
    """A Python program that prints one JSON line when it is ready; ended with the block."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str) -> None:
    import urllib.error
    import urllib.request

    for _ in range(300):
        try:
            urllib.request.urlopen(f"{url}/ready").close()
        except urllib.error.HTTPError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the server is not ready; see hybridroute doctor")


class _Rows:
    def __init__(self) -> None:
        self.rows: list[tuple[str, str, str]] = []
        self.reached = True

    def add(self, name: str, figure: str, wanted: str = "", *, held: bool = True) -> None:
        self.rows.append((name, figure, wanted if held else f"{wanted}: MISSED"))
        self.reached = self.reached and held


async def _rows(kinds: dict[str, Asked], effort: Effort, processes: dict[str, int]) -> _Rows:
    rows = _Rows()
    await _add_times(rows, kinds)
    if not effort.hold_s:
        return rows
    whole, seconds = await _streams(kinds["server"])
    rows.add(
        f"{STREAMS} streams of {CHUNKS} chunks, whole and in order",
        f"{whole} in {seconds:.1f} s",
        f"{STREAMS}",
        held=whole == STREAMS,
    )
    for name, rate in (("server", 200), ("server, routed", 80), ("RouteLLM's shape", 80)):
        before = _cpu_s(processes[name])
        load = await held_rate(kinds[name], rate, effort.hold_s)
        cpu_ms = (_cpu_s(processes[name]) - before) * 1000.0 / (rate * effort.hold_s)
        kept = load.errors == 0 and load.behind_s < 1.0
        judged = "" if name.startswith("Route") else "no error, keeps up"
        rows.add(
            f"{name}: {rate} a second for {effort.hold_s:g} s",
            f"{load.errors} errors, p50 {load.p50:.1f}, p99 {load.p99:.0f} ms, "
            f"{load.behind_s:.1f} s behind, {cpu_ms:.1f} ms of processor time each",
            judged,
            held=kept or not judged,
        )
    grown = await _growth(kinds["server"], effort.requests, processes["server"])
    if grown is not None:
        rows.add("the server's processor time for one request", f"{grown.cpu_ms:.2f} ms")
        rows.add(
            f"memory grown over {effort.requests} requests",
            f"{grown.share:+.1%}",
            "under 5 %",
            held=grown.share < 0.05,
        )
    if hasattr(os, "getloadavg"):
        rows.add("programs that wanted a core meanwhile (load average)", _load_average())
    return rows


async def _add_times(rows: _Rows, kinds: dict[str, Asked]) -> None:
    times = await _one_at_a_time(kinds)
    times["the SDK in process"] = _of_the_sdk(kinds["upstream"].url)
    for name, found in times.items():
        rows.add(f"{name}: p50 (p10) of one at a time", f"{found.p50:.2f} ({found.p10:.2f}) ms")
    added = times["server"].over(times["upstream"])
    rows.add(
        "added by the server", f"{added.p50:.2f} ({added.p10:.2f}) ms", "p50 at most 3 ms",
        held=added.p50 <= 3.0,
    )  # fmt: skip
    for name, more, less in (
        ("of that, by the server over the SDK", "server", "the SDK in process"),
        ("the router on top", "server, routed", "server"),
    ):
        found = times[more].over(times[less])
        rows.add(name, f"{found.p50:.2f} ({found.p10:.2f}) ms")


def _load_average() -> str:
    return " ".join(f"{one:.1f}" for one in os.getloadavg())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """Milliseconds: the median, and what the quickest tenth takes at most.

    On a machine that others use, the second is nearer to what the first would be without them.
    """

    p50: float
    p10: float

    @classmethod
    def of(cls, found: list[float]) -> _Times:
        return cls(p50=statistics.median(found), p10=statistics.quantiles(found, n=10)[0])

    def over(self, other: _Times) -> _Times:
        return _Times(p50=self.p50 - other.p50, p10=self.p10 - other.p10)


async def _one_at_a_time(kinds: dict[str, Asked]) -> dict[str, _Times]:
    """The kinds take turns, so that they meet the same machine."""
    lines = {name: Line(asked) for name, asked in kinds.items()}
    seen: dict[str, list[float]] = {name: [] for name in kinds}
    for number in range(ROUNDS + 20):
        for name, line in lines.items():
            start = time.perf_counter()
            await line.ask()
            if number >= 20:
                seen[name].append((time.perf_counter() - start) * 1000.0)
    for line in lines.values():
        line.close()
    return {name: _Times.of(found) for name, found in seen.items()}


async def _streams(asked: Asked) -> tuple[int, float]:
    """How many of the streams came whole and in order, and how long all took."""
    kind = Asked(url=asked.url, fields={**asked.fields, "stream": True})
    lines = [Line(kind) for _ in range(STREAMS)]
    start = time.perf_counter()
    bodies = await asyncio.gather(*(line.ask() for line in lines))
    seconds = time.perf_counter() - start
    for line in lines:
        line.close()
    return sum(_is_whole(body) for body in bodies), seconds


def _is_whole(body: bytes) -> bool:
    *events, done, _ = body.decode().split("\n\n")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    words = [chunk["choices"][0]["delta"].get("content") for chunk in chunks]
    wanted = [f"{at} " for at in range(CHUNKS)]
    return done == "data: [DONE]" and [word for word in words if word] == wanted


def _of_the_sdk(upstream: str) -> _Times:
    """The client called in this process, without a server."""
    cloud = CloudSettings(base_url=f"{upstream}/v1", model="big", api_key_env="")
    seen = []
    with HybridClient(cloud=cloud, mode="only_in_cloud") as client:
        for number in range(ROUNDS + 20):
            start = time.perf_counter()
            client.chat.completions.create(messages=[{"role": "user", "content": QUESTION}])
            if number >= 20:
                seen.append((time.perf_counter() - start) * 1000.0)
    return _Times.of(seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Growth:
    share: float
    cpu_ms: float


async def _growth(asked: Asked, requests: int, process: int) -> _Growth | None:
    """Resident memory after the requests over that before, less 1; None where it is not told."""
    lines = [Line(asked) for _ in range(8)]

    async def some(line: Line, count: int) -> None:
        for _ in range(count):
            await line.ask()

    await asyncio.gather(*(some(line, 60) for line in lines))
    before, cpu_before = _resident_kb(process), _cpu_s(process)
    await asyncio.gather(*(some(line, requests // len(lines)) for line in lines))
    after, cpu_after = _resident_kb(process), _cpu_s(process)
    for line in lines:
        line.close()
    if before is None or after is None:
        return None
    cpu_ms = (cpu_after - cpu_before) * 1000.0 / requests
    return _Growth(share=after / before - 1.0, cpu_ms=cpu_ms)


def _cpu_s(process: int) -> float:
    """Processor seconds a process has used, where the system tells."""
    status = Path(f"/proc/{process}/stat")
    if not status.is_file():
        return 0.0
    fields = status.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_kb(process: int) -> int | None:
    status = Path(f"/proc/{process}/status")
    if not status.is_file():
        return None
    (line,) = [one for one in status.read_text().splitlines() if one.startswith("VmRSS")]
    return int(line.split()[1])


if __name__ == "__main__":
    efforts = {
        "--full": Effort(hold_s=60.0, requests=20_000),
        "--times": Effort(hold_s=0.0, requests=0),
    }
    measure(efforts.get(next(iter(sys.argv[1:]), ""))).show()
