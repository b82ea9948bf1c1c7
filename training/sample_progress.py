"""Shows how far sampling is, how fast, and how long it will go on: on stderr alone."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable

from hybridroute.training.sampled_response import Response

_WINDOW = 200
_EVERY_S = 0.5
_EVERY_S_IN_FILE = 60.0


class SampleProgress:
    """One line that is written over at a terminal; elsewhere a line a minute.

    Parameters
    ----------
    write : callable
        Takes text; stderr by default.
    is_terminal : bool or None
        None asks stderr.
    clock : callable
        Seconds.
    """

    def __init__(
        self,
        *,
        write: Callable[[str], object] | None = None,
        is_terminal: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._write = write or _to_stderr
        self._is_terminal = sys.stderr.isatty() if is_terminal is None else is_terminal
        self._clock = clock
        self._arm, self._done, self._total = "", 0, 0
        self._tokens = self._errors = 0
        self._recent: deque[tuple[float, int]] = deque(maxlen=_WINDOW)
        self._shown_at = clock()

    def begin(self, arm: str, *, left: int, already: int) -> None:
        """An arm begins."""
        self.end()
        self._arm, self._done, self._total = arm, already, already + left
        self._tokens = self._errors = 0
        self._recent.clear()
        self._recent.append((self._clock(), 0))
        self._shown_at = self._clock()
        there = f", {already} already there" if already else ""
        self._write(f"{arm}: {left} responses to draw{there}\n")

    def took(self, response: Response) -> None:
        """A response is written."""
        now = self._clock()
        self._done += 1
        self._tokens += response.completion_tokens or 0
        self._errors += response.error is not None
        self._recent.append((now, self._tokens))
        wait = _EVERY_S if self._is_terminal else _EVERY_S_IN_FILE
        if now - self._shown_at >= wait:
            self._shown_at = now
            self._show()

    def end(self) -> None:
        """Show the last state of the arm that ran."""
        if len(self._recent) > 1:
            self._show()
            if self._is_terminal:
                self._write("\n")
        self._recent.clear()

    def line(self) -> str:
        """The state in one line."""
        (first, tokens_before), (last, tokens) = self._recent[0], self._recent[-1]
        seconds = max(last - first, 1e-9)
        rate = (len(self._recent) - 1) / seconds
        left = (self._total - self._done) / rate if rate > 0 else 0.0
        share = self._done / self._total if self._total else 1.0
        errors = f", {self._errors} errors" if self._errors else ""
        return (
            f"{self._arm}: {self._done}/{self._total} ({share:.0%}), {rate:.2g} responses/s, "
            f"{(tokens - tokens_before) / seconds:.0f} tokens/s, {_span(left)} left{errors}"
        )

    def _show(self) -> None:
        if self._is_terminal:
            self._write(f"\r\x1b[K{self.line()}")
        else:
            self._write(f"{self.line()}\n")


def _to_stderr(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _span(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02d}:{whole % 60:02d}"
