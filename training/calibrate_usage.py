"""Which options of ``hybridroute calibrate`` go together: what would be ignored is wrong usage."""

from __future__ import annotations

from collections.abc import Collection

import typer

_OF_OUTCOMES = frozenset({"--edge", "--cloud", "--quality-range", "--map-scores", "--alias"})
_OF_LIMIT = ("--confidence", "--drop-kind")
_MORE_FILES = "more files"


def check_usage(sources: Collection[str], given: Collection[str]) -> None:
    """Refuse options that the source, or what else was given, leaves without a meaning.

    Parameters
    ----------
    sources : collection of str
        Those of ``--outcomes``, ``--add`` and ``--prompts`` that were given.
    given : collection of str
        The other options that were, and "more files" for those after the options.

    Raises
    ------
    typer.BadParameter
        Names the option and the way out.
    """
    if len(sources) != 1:
        raise typer.BadParameter(
            "give one of --outcomes (labelled), --add (feedback) and --prompts (no labels)"
        )
    source = next(iter(sources))
    if source != "--outcomes" and _MORE_FILES in given:
        again = "give --add once for each log" if source == "--add" else "give one file of prompts"
        raise typer.BadParameter(f"more files belong to --outcomes; {again}", param_hint=source)
    limit = {"--max-drop", *_OF_LIMIT}
    useless = {"--outcomes": frozenset(), "--add": _OF_OUTCOMES, "--prompts": _OF_OUTCOMES | limit}
    for option in sorted(useless[source] & set(given)):
        raise typer.BadParameter(
            f"{_why(option, source)}. Leave {option} out, or give --outcomes FILE in place of "
            f"{source}",
            param_hint=option,
        )
    for option in _OF_LIMIT:
        if option in given and "--max-drop" not in given:
            raise typer.BadParameter(
                "it belongs to a limit; give --max-drop too, such as 0.02, or leave it out",
                param_hint=option,
            )


def _why(option: str, source: str) -> str:
    if source == "--prompts":
        return "prompts have no labels, so nothing can be promised of them"
    if option in {"--edge", "--cloud", "--alias"}:
        return "ratings are of the two models that the bundle is for"
    if option == "--quality-range":
        return "ratings are from 0 to 1"
    return "ratings say nothing of the arm that did not answer, so no score can be mapped"
