"""The ``hybridroute`` command. Importing this loads neither typer nor a model."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 on Ctrl-C."""
    try:
        sys.exit(_main())
    except KeyboardInterrupt:  # also while the imports run, which take most of a short command
        sys.exit(130)


def _main() -> int:
    if not _streams_are_open():
        return 1
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError:
        sys.stderr.write("hybridroute: the command line needs: pip install 'hybridroute[cli]'\n")
        return 1
    from hybridroute.cli.app import run

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # An answer may hold what the terminal's encoding, or UTF-8 itself, cannot.
            stream.reconfigure(errors="replace")
    return run(sys.argv[1:])


def _streams_are_open() -> bool:
    """Whether results have somewhere to go.

    A stream that the caller closed is None here, and its number would go to the next file opened:
    a model or a socket. Input and messages can do without; they get the null device.
    """
    null = Path(os.devnull)
    if sys.stdin is None:
        sys.stdin = null.open(encoding="utf-8")
    is_open = sys.stdout is not None
    if sys.stderr is None:
        sys.stderr = null.open("w", encoding="utf-8")
    if not is_open:
        sys.stderr.write("hybridroute: standard output is closed; give it a file or a pipe\n")
    return is_open
