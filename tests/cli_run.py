"""Runs the command line in a process of its own, with an environment that sets nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_START = "from hybridroute.cli import main; sys.argv[0] = 'hybridroute'; main()"
_SETTINGS = tuple(
    f"HYBRIDROUTE_{section}_" for section in ("ROUTER", "EDGE", "CLOUD", "SERVER", "CONTROLLER")
)
_DROPPED = (*_SETTINGS, "HYBRIDROUTE_CONFIG", "OPENAI_", "NO_COLOR", "FORCE_COLOR")


def command(*arguments: str, without: Sequence[str] = ()) -> list[str]:
    """A command line; ``without`` names modules that then look as if they were not installed."""
    hide = f"import sys; sys.modules.update(dict.fromkeys({list(without)!r})); "
    return [sys.executable, "-c", hide + _START, *arguments]


def environment(**more: str) -> dict[str, str]:
    """This process's environment without settings and keys."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_DROPPED)}
    return {**kept, "COLUMNS": "120", **more}


def run(
    *arguments: str,
    cwd: Path,
    stdin: str = "",
    without: Sequence[str] = (),
    timeout: float = 120,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        command(*arguments, without=without),
        cwd=cwd,
        input=stdin,
        env=environment(**variables),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
