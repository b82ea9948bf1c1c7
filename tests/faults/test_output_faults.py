"""Standard output that is closed or full: one line, exit 1, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_run import command, environment

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell redirects")
FULL = Path("/dev/full")


def redirected(cwd: Path, how: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command under a shell that redirects it."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {how}', "sh", *command(*arguments)],
        cwd=cwd,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments", [("models", "list", "--json"), ("models", "list"), ("config", "schema"), ("-h",)]
)
def test_closed_is_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = redirected(tmp_path, ">&-", *arguments)
    assert done.returncode == 1
    assert done.stderr == "hybridroute: standard output is closed; give it a file or a pipe\n"


@pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")
@pytest.mark.parametrize(
    "arguments", [("models", "list", "--json"), ("models", "list"), ("config", "schema"), ("-h",)]
)
def test_full_is_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = redirected(tmp_path, f"> {FULL}", *arguments)
    assert done.returncode == 1
    assert done.stderr.startswith("hybridroute: the output cannot be written (No space left")
    assert done.stderr.count("\n") == 1


def test_closed_input_and_messages_do_no_harm(tmp_path: Path) -> None:
    done = redirected(tmp_path, "<&- 2>&-", "models", "list", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("[")
