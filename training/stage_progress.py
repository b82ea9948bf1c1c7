"""The stage that a run is at, with a spinner and its time so far: on stderr, for a person."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn


class StageProgress:
    """Shows one stage after another on one line. Use it as a context manager.

    Parameters
    ----------
    above : renderable or None
        Shown above that line, such as bars; it stays at the end, while the line goes.
    """

    def __init__(self, above: RenderableType | None = None) -> None:
        # This stream and no later one: the export sends sys.stderr elsewhere while it runs.
        console = Console(file=sys.stderr)
        self._line = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console
        )
        shown = [] if above is None else [above]
        self._live = Live(Group(*shown, self._line), console=console, transient=not shown)
        self._is_seen = console.is_terminal
        self._at: TaskID | None = None

    def stage(self, text: str) -> None:
        """Another stage begins."""
        self._end()
        self._at = self._line.add_task(text, total=None)
        if self._is_seen:
            self._live.refresh()

    def _end(self) -> None:
        if self._at is not None:
            self._line.remove_task(self._at)
            self._at = None

    def __enter__(self) -> Self:
        if self._is_seen:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        if self._is_seen:
            self._live.stop()
