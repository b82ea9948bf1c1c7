"""``compare`` once the texts are embedded, and RouterEval's largest matrices in memory."""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.table import Report

ROWS, ARMS, WIDTH = 6000, 7, 384
LIMIT = 180.0
BIG_ROWS, BIG_ARMS = 10_000, 1000
BIG_LIMIT_MB = 2048


def measure() -> Report:
    """All estimators of seconds at five seeds; then 1,000 arms read and judged, in a process."""
    taken = compared()
    largest = int(
        subprocess.run(
            [sys.executable, "-m", "benchmarks.compare_speed"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
    )
    return Report(
        title=f"compare: {ROWS:,} x {ARMS} embedded; {BIG_ROWS:,} x {BIG_ARMS:,} in memory",
        header=("", "seconds", "MB"),
        rows=(
            ("all estimators, 5 seeds", f"{taken:.0f}", ""),
            ("1,000 arms, read and judged", "", f"{largest:,}"),
        ),
        target=f"under {LIMIT:.0f} s, and under {BIG_LIMIT_MB:,} MB",
        reached=taken < LIMIT and largest < BIG_LIMIT_MB,
    )


def compared() -> float:
    """Wall-clock seconds, on made-up states in which a few hundred directions matter."""
    from hybridroute.training.judging.all_runs import Plan
    from hybridroute.training.judging.contenders import contenders_of
    from hybridroute.training.judging.contest import contest
    from hybridroute.training.judging.records import records_of
    from hybridroute.training.pool.estimator import Queries
    from hybridroute.training.pool.score_table import ScoreTable

    draw = np.random.default_rng(0)
    centres = draw.standard_normal((40, WIDTH))
    kind = draw.integers(0, len(centres), ROWS)
    states = (centres[kind] + draw.standard_normal((ROWS, WIDTH))).astype(np.float32)
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    skill = 0.3 + 0.5 * draw.random((len(centres), ARMS))
    names = tuple(f"question {row}" for row in range(ROWS))
    table = ScoreTable(
        arms=tuple(f"arm{at}" for at in range(ARMS)),
        quality=(draw.random((ROWS, ARMS)) < skill[kind]).astype(np.float64),
        cost_usd=draw.random((ROWS, ARMS)) * 10.0 ** np.arange(ARMS),
        texts=names,
        hashes=names,
        domains=(None,) * ROWS,
        source="made-up",
    )
    lengths = draw.integers(20, 900, ROWS)
    queries = Queries(embeddings=states, characters=lengths, tokens=np.minimum(lengths // 4, 96))
    started = time.perf_counter()
    contest(records_of(table), queries, contenders_of(), Plan(held_out="prompts", seeds=5))
    return time.perf_counter() - started


def largest_pool() -> int:
    """Peak resident memory in MB of reading a pickle of 10,000 x 1,000 and judging its ends."""
    from hybridroute.training.judging.model_scaling import scaling_up
    from hybridroute.training.pool.metrics import oracle_quality, random_quality
    from hybridroute.training.readers.routereval import Candidates, read_routereval

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mmlu_router_dataset.pkl"
        # In a process of its own: what is measured is reading, not making.
        code = "from benchmarks.compare_speed import write_pool; write_pool({!r})"
        subprocess.run([sys.executable, "-c", code.format(str(path))], check=True)
        parts = read_routereval(path, Candidates(size=BIG_ARMS, group="all_strong"))
        quality = parts["train"].table.quality
        random_quality(quality), oracle_quality(quality)
        scaling_up(quality)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def write_pool(place: str) -> None:
    """A pickle of RouterEval's form with 1,000 models."""
    draw = np.random.default_rng(0)
    sizes = {"train": BIG_ROWS, "val": 1000, "test": 1000}
    data = {
        f"{part}_score": (draw.random((n, BIG_ARMS)) < 0.6).astype(np.float64).dumps()[2:-1]
        for part, n in sizes.items()
    }
    pool = {"data": _mapping(data), "model": _texts("model", BIG_ARMS)}
    pool["prompt"] = _mapping({f"{part}_prompt": _texts(part, n) for part, n in sizes.items()})
    size = b"M" + struct.pack("<H", BIG_ARMS)
    sized = b"}" + size + _mapping({"all_strong": _mapping(pool)}) + b"s"
    Path(place).write_bytes(b"\x80\x02" + _mapping({"hard": sized}) + b".")


def _mapping(held: Mapping[str, bytes]) -> bytes:
    """The steps of a pickle that make a dict of values made so, too."""
    return b"}" + b"".join(_text(name) + value + b"s" for name, value in held.items())


def _texts(stem: str, count: int) -> bytes:
    return b"]" + b"".join(_text(f"{stem} {at}") + b"a" for at in range(count))


def _text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


if __name__ == "__main__":
    print(largest_pool())
