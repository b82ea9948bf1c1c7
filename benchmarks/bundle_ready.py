"""From a fresh process to a router that has scored: the default bundle, checked and loaded."""

from __future__ import annotations

from benchmarks.rounds import in_fresh_processes
from benchmarks.table import Report

LIMIT_MS = 1000.0
LOAD = (
    "from hybridroute.edge_runtime.bundle import Bundle, default_bundle_path\n"
    "scorer = Bundle.load(default_bundle_path()).scorer()\n"
)
PROGRAMS = {
    "empty": "pass",
    "libraries alone": "import numpy, onnxruntime, tokenizers",
    "ready to score": LOAD,
    "first query scored": f"{LOAD}scorer.assess('What is 2+2?')",
}


def measure() -> Report:
    """Best of 7, an empty interpreter's run subtracted."""
    times = in_fresh_processes(PROGRAMS)
    empty = times.pop("empty")
    rows = tuple(
        (name, f"{taken.best - empty.best:.0f} ms", f"{taken.median - empty.median:.0f} ms")
        for name, taken in times.items()
    )
    return Report(
        title=f"The default bundle (an empty run takes {empty.best:.0f} ms and is subtracted)",
        header=("", "best of 7", "median"),
        rows=rows,
        target=f"ready to score in under {LIMIT_MS:.0f} ms",
        reached=times["ready to score"].best - empty.best < LIMIT_MS,
    )


if __name__ == "__main__":
    measure().show()
