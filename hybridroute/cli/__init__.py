"""The ``hybridroute`` command. Importing this loads neither typer nor a model."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrong usage, 130 on Ctrl-C."""
    try:
        sys.exit(_main())
    except KeyboardInterrupt:  # also while the imports run, which take most of a short command
        sys.exit(130)


def _main() -> int:
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
