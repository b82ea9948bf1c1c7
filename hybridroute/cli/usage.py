"""What the flags alone show to be wrong: wrong usage, as a word that is no number is.

The same mistake in the file or the environment is a setting that does not do, and told as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.settings import AMOUNTS, PROMISE_WORDS


def flag_of(name: str) -> str:
    """An option as it is typed."""
    return f"--{name.replace('_', '-')}"


def check_router_flags(router: Mapping[str, Any]) -> None:
    """Refuse several amounts, and arms that are not written as arms are.

    Raises
    ------
    typer.BadParameter
        Names the options and the way out.
    """
    check_one({flag_of(name): router.get(name) for name in AMOUNTS})
    if router.get("arms") is not None:
        from hybridroute.arms_from_spec import specs_of

        try:
            specs_of(router["arms"])
        except ConfigError as exc:
            raise typer.BadParameter(f"{exc}.", param_hint="--arm") from exc


def check_one(given: Mapping[str, object], *, is_needed: bool = False) -> None:
    """Refuse more than one of several ways to say one thing, and none where one is needed.

    Parameters
    ----------
    given : mapping
        The values, by the option as it is typed; None where it was not given.

    Raises
    ------
    typer.BadParameter
        Names those that were given.
    """
    said = [name for name, value in given.items() if value is not None]
    if len(said) > 1:
        raise typer.BadParameter("they say one thing; give one of them.", param_hint=_and(said))
    if is_needed and not said:
        raise typer.BadParameter(f"none of {_and(list(given))} is given; give one of them.")


def check_promise_words(given: Mapping[str, object], max_drop: float | None) -> None:
    """Refuse a promise's words where no promise is asked for, here or in file and environment.

    Raises
    ------
    typer.BadParameter
        Names the option.
    """
    for name in PROMISE_WORDS:
        if max_drop is None and given.get(name) is not None:
            raise typer.BadParameter(
                "it belongs to a promise; give --max-drop too, such as 0.02, or leave it out.",
                param_hint=flag_of(name),
            )


def _and(names: Sequence[str]) -> str:
    *firsts, last = names
    return f"{', '.join(firsts)} and {last}" if firsts else last
