"""A switch that ends a running call from another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


class StopSignal:
    """Set once and for good, from any thread; whoever works under it is told.

    What is told must not block: it runs in the thread that sets the signal.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: list[Callable[[], None]] = []
        self._is_set = False

    @property
    def is_set(self) -> bool:
        """Whether the call is to end."""
        return self._is_set

    def tell(self, end: Callable[[], None]) -> None:
        """Have ``end`` called when the signal is set; now, if it is set already."""
        with self._lock:
            if not self._is_set:
                self._told.append(end)
                return
        end()

    def set(self) -> None:
        """End what runs under the signal; a second time does nothing."""
        with self._lock:
            self._is_set = True
            told, self._told = self._told, []
        for end in told:
            end()
