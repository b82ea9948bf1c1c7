"""What a run is at, told in a few words to whoever watches it."""

from __future__ import annotations

from collections.abc import Callable

OnStage = Callable[[str], None]
"""Called at the beginning of each stage that may take long."""


def untold(stage: str) -> None:
    """Told of a stage, it does nothing."""
