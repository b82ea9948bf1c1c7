"""``hybridroute doctor``: what is there, what is missing, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from hybridroute.cli import options
from hybridroute.cli.checks import examine
from hybridroute.cli.health import Finding, Health
from hybridroute.cli.output import console, print_json


def doctor(
    *,
    json: options.Json = False,
    bundle: options.Bundle = None,
    arms: options.Arms = None,
    edge: options.Edge = None,
    engine: options.Engine = None,
    cloud_url: options.CloudUrl = None,
    cloud_model: options.CloudModel = None,
    cloud_key_env: options.CloudKeyEnv = None,
) -> None:
    """Check the installation. Exit 0 if a query can be routed and answered, else 1."""
    flags = options.as_flags(
        bundle=bundle,
        arms=arms,
        edge=edge,
        engine=engine,
        cloud_url=cloud_url,
        cloud_model=cloud_model,
        cloud_key_env=cloud_key_env,
    )
    health = examine(flags)
    if json:
        print_json(health.to_dict())
    else:
        _show(health.findings, health)
    if not health.ok:
        raise typer.Exit(1)


_MARK = {"ok": ("ok", "green"), "warning": ("warn", "yellow"), "error": ("FAIL", "red")}


def _show(findings: Sequence[Finding], health: Health) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    out = console()
    table = Table(box=None, show_header=False, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        word, colour = _MARK[finding.status]
        said = Text(finding.found)
        if finding.advice:
            said.append(f"\n→ {finding.advice}", style="bold")
        table.add_row(Text(word, style=colour), finding.name, said)
    out.print(Padding(table, (0, 0, 1, 0)))
    out.print(Text(health.verdict, style="green" if health.ok else "red"))
