"""``hybridroute config``: check a configuration, and print the schema it is written by."""

from __future__ import annotations

import os
import sys
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from hybridroute.cli.options import Json
from hybridroute.cli.output import print_json, printable
from hybridroute.edge_runtime.errors import ConfigError

config = typer.Typer(help="Check hybridroute.toml, and print its JSON schema.")


@config.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Left out: the one that commands here would read.")
    ] = None,
    json: Json = False,
) -> None:
    """Check a file and the HYBRIDROUTE_* variables; exit 1 if a command would refuse them."""
    from hybridroute.cli.config_checks import examine_config
    from hybridroute.settings import find_file

    if file is not None and not file.is_file():
        raise ConfigError(f"{file} is not a file; give the path of a hybridroute.toml")
    report = examine_config(file or find_file(os.environ, Path.cwd()), os.environ)
    if json:
        print_json(report.to_dict())
    else:
        for one in report.problems:
            typer.echo(printable(f"{one.where}: {one.message}"))
        for warning in report.warnings:
            typer.echo(printable(f"note: {warning}"))
        count = len(report.problems)
        name = "no file; variables and defaults" if report.file is None else str(report.file)
        typer.echo(f"{name}: {'fine' if report.ok else f'{count} to put right'}")
    if not report.ok:
        raise typer.Exit(1)


@config.command()
def schema() -> None:
    """Print the JSON schema of hybridroute.toml, for editors and other programs."""
    sys.stdout.write(schema_text())


def schema_text() -> str:
    """The published schema."""
    return files("hybridroute").joinpath("hybridroute.schema.json").read_text(encoding="utf-8")
