"""The stage and a bar for the fit, on stderr and only where a person reads it."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from hybridroute.training.stage_progress import StageProgress


class FitProgress:
    """Shows one bar per seed: step, loss, time left; and under them the stage.

    Use it as a context manager.
    """

    def __init__(self) -> None:
        self._bars = Progress(
            TextColumn("seed {task.fields[seed]}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}  loss {task.fields[loss]:.3f}"),
            TimeRemainingColumn(),
        )
        self._stages = StageProgress(self._bars)
        self._tasks: dict[int, TaskID] = {}

    def stage(self, text: str) -> None:
        """Another stage begins."""
        self._stages.stage(text)

    def step(self, seed: int, step: int, total: int, loss: float) -> None:
        """One optimizer step is done."""
        if seed not in self._tasks:
            self._tasks[seed] = self._bars.add_task("fit", total=total, seed=seed, loss=loss)
        self._bars.update(self._tasks[seed], completed=step, loss=loss)

    def __enter__(self) -> Self:
        self._stages.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stages.__exit__(kind, error, trace)
