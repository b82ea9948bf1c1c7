"""How a pull goes, on stderr: the size first, then a bar with rate and time left."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hybridroute.cli.output import console, say

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class PullProgress:
    """A bar where a person reads it; into a file or a pipe only the line with the size."""

    def __init__(self) -> None:
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def begin(self, *, total: int | None, have: int, host: str) -> None:
        """Say how much will come."""
        size = "a file of unknown size" if total is None else f"{total / 1e6:.1f} MB"
        rest = f", going on after {have / 1e6:.1f} MB" if have else ""
        say(f"downloading {size} from {host}{rest}")
        if not sys.stderr.isatty():
            return
        if self._bar is None:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task("pull", total=total, completed=have)
        elif self._task is not None:
            self._bar.reset(self._task, total=total, completed=have)

    def advance(self, count: int) -> None:
        """Move the bar."""
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, count)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()


def _bar() -> Progress:
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console(stderr=True),
    )
