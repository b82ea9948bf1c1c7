"""The measurements run and print their tables; what they measure is judged by a reader."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]


def _run(*names: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def _rows(printed: str) -> dict[str, list[str]]:
    """The table's rows by their first cell; cells are two spaces apart or more."""
    lines = [line.strip().split("  ") for line in printed.splitlines() if line.startswith("  ")]
    return {first: [cell.strip() for cell in rest if cell.strip()] for first, *rest in lines}


def test_import_time() -> None:
    done = _run("import_time")
    assert done.returncode == 0, done.stderr
    row = _rows(done.stdout)["import hybridroute"]
    assert row[0].endswith(" ms")
    assert row[-1] == "none"


def test_bundle_ready() -> None:
    done = _run("bundle_ready")
    assert done.returncode == 0, done.stderr
    assert {"libraries alone", "ready to score", "first query scored"} <= _rows(done.stdout).keys()


def test_an_unknown_name_is_wrong_usage() -> None:
    done = _run("nonsense")
    assert done.returncode == 2
    assert "nonsense" in done.stderr
