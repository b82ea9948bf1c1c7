"""What the flags of a command alone show to be wrong: wrong usage, as a word that is no number is.

What only the rows, the bundle or the encoder show stays an error of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from hybridroute.edge_runtime.errors import ConfigError


@contextmanager
def wrong_usage(option: str | None = None) -> Iterator[None]:
    """Tell a ConfigError of what is made of flags and nothing else as wrong usage of ``option``.

    Raises
    ------
    typer.BadParameter
        In its place.
    """
    try:
        yield
    except ConfigError as exc:
        raise typer.BadParameter(f"{exc}.", param_hint=option) from exc
