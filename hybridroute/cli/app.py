"""The command tree, its exit codes and its plugins."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hybridroute._version import __version__
from hybridroute.cli.ask import ask
from hybridroute.cli.chat import chat
from hybridroute.cli.config import config
from hybridroute.cli.demo import demo
from hybridroute.cli.dial import dial
from hybridroute.cli.doctor import doctor
from hybridroute.cli.feedback import feedback
from hybridroute.cli.models import models
from hybridroute.cli.output import say
from hybridroute.cli.replay import replay
from hybridroute.cli.route import route
from hybridroute.cli.serve import serve
from hybridroute.edge_runtime.errors import HybridRouteError

GROUP = "hybridroute.commands"
"""Entry points of this group are functions ``register(app: typer.Typer) -> None``."""

_COMMANDS = (route, ask, chat, serve, dial, replay, feedback, doctor, demo)
_BUILT_IN = frozenset({*(command.__name__ for command in _COMMANDS), "models", "config"})

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)
"""Of a write to what is full, gone or not open for writing."""


def build_app() -> typer.Typer:
    """The tree of the built-in commands."""
    app = typer.Typer(
        name="hybridroute",
        help="Route each query to a small model on this device or a large one in the cloud.",
        no_args_is_help=True,
        add_completion=False,
        # Its pretty tracebacks would print local variables, prompts and keys among them.
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for command in _COMMANDS:
        app.command()(command)
    app.add_typer(models, name="models")
    app.add_typer(config, name="config")
    return app


def register_plugins(app: typer.Typer) -> list[str]:
    """Let every entry point add its commands; one that fails is reported, and harms no other."""
    from importlib.metadata import entry_points

    problems = []
    for point in entry_points(group=GROUP):
        try:
            point.load()(app)
        except Exception as exc:  # a plugin may fail in any way, and must not take the rest along
            problems.append(f"the commands of {point.name} are not available: {exc}")
    return problems


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0, 1 (quiet for a closed pipe), 2 or 130."""
    app = build_app()
    if not _BUILT_IN.intersection(arguments[:1]):  # looking for plugins takes time
        problems = register_plugins(app)
        if arguments and not arguments[0].startswith("-"):
            for problem in problems:
                say(f"hybridroute: {problem}")
    try:
        app(args=list(arguments), prog_name="hybridroute")
        sys.stdout.flush()
    except HybridRouteError as exc:
        say(f"hybridroute: {_line(exc)}")
        return 1
    except KeyboardInterrupt:
        return 130
    except OSError as exc:
        return _no_output(exc)
    except SystemExit as exc:
        return _finished(exc)
    return 0


def _finished(exit_: SystemExit) -> int:
    try:
        sys.stdout.flush()
    except OSError as exc:
        return _no_output(exc)
    return exit_.code if isinstance(exit_.code, int) else int(exit_.code is not None)


def _no_output(error: OSError) -> int:
    """Whoever read the output is gone, which is quiet, or there is no room for it."""
    if error.errno not in (errno.EPIPE, *_NO_ROOM) or error.filename is not None:
        raise error
    if error.errno != errno.EPIPE:
        say(f"hybridroute: the output cannot be written ({error.strerror}); send it elsewhere")
    # What is left in the buffer must go somewhere when the interpreter flushes it at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _line(error: HybridRouteError) -> str:
    notes = getattr(error, "__notes__", [])
    return " ".join(" ".join([str(error), *(f"({note})" for note in notes)]).split())


def _show_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"hybridroute {__version__}\n")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True),
    ] = False,
) -> None:
    """Route each query to a small model on this device or a large one in the cloud.

    Settings: flag, else HYBRIDROUTE_* variable, else hybridroute.toml in this folder.
    """
