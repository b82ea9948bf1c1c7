"""What the base install puts on disk: this checkout with no extra, in a clean environment."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from benchmarks.table import Report

LIMIT_MB = 300.0
ROOT = Path(__file__).resolve().parents[1]
LARGEST = 8


def measure() -> Report:
    """The size of site-packages after the install, less what an empty environment has."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "venv"
        venv.create(home, with_pip=True)
        python = home / "bin" / "python"
        packages = next((home / "lib").glob("python*/site-packages"))
        tools = {path.name for path in packages.iterdir()}
        wheel = _wheel(Path(folder))
        _pip(python, "install", str(wheel))
        sizes = {path.name: _size(path) for path in packages.iterdir() if path.name not in tools}
        bundles = _size(packages / "hybridroute" / "bundles")
    total = sum(sizes.values())
    largest = sorted(sizes, key=lambda name: -sizes[name])[:LARGEST]
    rows = [(name, f"{sizes[name] / 1e6:.1f} MB") for name in largest]
    rows.append(("  of hybridroute: bundles", f"{bundles / 1e6:.1f} MB"))
    rows.append(("all", f"{total / 1e6:.1f} MB"))
    return Report(
        title="The base install (pip and setuptools not counted, compiled .pyc counted)",
        header=("", "on disk"),
        rows=tuple(rows),
        target=f"under {LIMIT_MB:.0f} MB, bundles included",
        reached=total / 1e6 < LIMIT_MB and bundles > 0,
    )


def _wheel(folder: Path) -> Path:
    """A wheel by way of an sdist, so that nothing is written into the checkout."""
    command = [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())


if __name__ == "__main__":
    measure().show()
