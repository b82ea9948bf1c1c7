"""``import hybridroute`` in fresh processes, and which heavy modules it loads."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.rounds import in_fresh_processes
from benchmarks.table import Report

LIMIT_MS = 150.0
HEAVY = (
    *("torch", "transformers", "onnxruntime", "tokenizers", "numpy"),
    *("requests", "urllib3", "llama_cpp", "xllamacpp"),
)
PROGRAMS = {
    "empty": "pass",
    "import hybridroute": "import hybridroute",
    "from hybridroute import HybridClient": "from hybridroute import HybridClient",
}


def measure() -> Report:
    """Best of 7, an empty interpreter's run subtracted."""
    times = in_fresh_processes(PROGRAMS)
    empty = times.pop("empty")
    loaded = {name: _heavy(PROGRAMS[name]) for name in times}
    rows = tuple(
        (
            name,
            f"{taken.best - empty.best:.0f} ms",
            f"{taken.median - empty.median:.0f} ms",
            ", ".join(loaded[name]) or "none",
        )
        for name, taken in times.items()
    )
    first = "import hybridroute"
    return Report(
        title=f"Import (an empty run takes {empty.best:.0f} ms and is subtracted)",
        header=("", "best of 7", "median", "heavy modules loaded"),
        rows=rows,
        target=f"import hybridroute under {LIMIT_MS:.0f} ms, nothing heavy loaded",
        reached=times[first].best - empty.best < LIMIT_MS and not loaded[first],
    )


def _heavy(code: str) -> list[str]:
    program = f"{code}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    found = set(json.loads(done.stdout))
    return [name for name in HEAVY if name in found]


if __name__ == "__main__":
    measure().show()
