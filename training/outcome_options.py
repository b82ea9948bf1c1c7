"""The options by which commands take outcome tables, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from hybridroute.training.outcomes import OutcomeTable

Outcomes = Annotated[
    list[Path],
    typer.Option(
        help="Outcome files or folders: RouteLLM CSV, RouterDC JSON, RouterBench CSV, "
        "canonical JSON lines. More may follow without the option."
    ),
]
More = Annotated[list[Path] | None, typer.Argument(help="More outcome files.", show_default=False)]
Edge = Annotated[str, typer.Option(help="The small model's name in the outcomes.")]
Cloud = Annotated[str, typer.Option(help="The large model's name in the outcomes.")]
Aliases = Annotated[
    list[str] | None, typer.Option(help="NAME=OTHER: an arm called NAME there is OTHER here.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def read_table(paths: list[Path], aliases: list[str]) -> OutcomeTable:
    """One table of all files, arms renamed.

    Raises
    ------
    DataError
        As the readers do.
    """
    from hybridroute.training.outcomes import renamed
    from hybridroute.training.readers import read_outcomes

    return renamed(read_outcomes(paths), dict(named(text, "--alias", "OTHER") for text in aliases))


def named(text: str, option: str, other: str) -> tuple[str, str]:
    """The two parts of ``NAME=OTHER``; wrong usage without both."""
    name, _, held = text.partition("=")
    if not name or not held:
        raise typer.BadParameter(f"{text!r} is not NAME={other}", param_hint=option)
    return name, held


def both_arms(edge: str | None, cloud: str | None) -> tuple[str, str]:
    """The two arms of a pair's bundle; wrong usage without both."""
    for name, value in (("--edge", edge), ("--cloud", cloud)):
        if value is None:
            raise typer.BadParameter(
                "name the arm as the outcomes do; only a bundle of a pool knows its arms' names",
                param_hint=name,
            )
    return edge or "", cloud or ""
