"""Keeps a resource open while calls use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hybridroute.edge_runtime.errors import ConfigError


class OpenCalls:
    """Counts running calls, so that closing waits for them and later calls are refused."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running = 0
        self._closed = False

    @contextmanager
    def one(self) -> Iterator[None]:
        """One call. Raises ConfigError once closed."""
        with self._changed:
            if self._closed:
                raise ConfigError("the engine is closed; make a new one")
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def close(self, free: Callable[[], None]) -> None:
        """Refuse new calls, wait for the running ones, then call ``free``; once only."""
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.wait_for(lambda: self._running == 0)
        free()
