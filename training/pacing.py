"""What holds calls back: a rate, and a budget that is never crossed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hybridroute.edge_runtime.errors import ConfigError


class Stopped(Exception):
    """Raised in a worker that waits while the run ends."""


class BudgetUsed(Exception):
    """The next call might cross the budget."""


class Rate:
    """At most ``per_minute`` calls in any minute, evenly spaced.

    Parameters
    ----------
    per_minute : float or None
        None holds nothing back.
    clock : callable
        Seconds; another one may be given.
    """

    def __init__(
        self, per_minute: float | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._gap_s = 0.0 if per_minute is None else 60.0 / per_minute
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()

    def wait(self, stop: threading.Event) -> None:
        """Wait for this call's turn. Raises Stopped if ``stop`` is set before."""
        with self._lock:
            at = max(self._next, self._clock())
            self._next = at + self._gap_s
        if stop.wait(max(0.0, at - self._clock())):
            raise Stopped


class Budget:
    """US dollars that calls may cost in all. Each call reserves the most it can cost beforehand.

    Parameters
    ----------
    limit_usd : float or None
        None limits nothing.
    spent_usd : float
        What earlier runs spent.

    Raises
    ------
    ConfigError
        If the limit is negative or no number.
    """

    def __init__(self, limit_usd: float | None, *, spent_usd: float = 0.0) -> None:
        if limit_usd is not None and not limit_usd >= 0:
            raise ConfigError(f"budget-usd is {limit_usd}; give at least 0")
        self.limit_usd = limit_usd
        self._spent = spent_usd
        self._reserved: dict[int, float] = {}
        self._tickets = 0
        self._changed = threading.Condition()

    @property
    def spent_usd(self) -> float:
        """What is spent, calls under way left out."""
        with self._changed:
            return self._spent

    def reserve(self, most_usd: float, stop: threading.Event) -> int:
        """Set aside what a call may cost at most; the ticket goes back to ``settle``.

        Waits while calls under way, which may turn out cheaper, stand in the way.

        Raises
        ------
        BudgetUsed
            If nothing is under way and the call still might cross the limit.
        Stopped
            If ``stop`` is set.
        """
        with self._changed:
            while not self._fits(most_usd):
                if stop.is_set():
                    raise Stopped
                if not self._reserved:
                    raise BudgetUsed
                self._changed.wait(0.2)
            self._tickets += 1
            self._reserved[self._tickets] = most_usd
            return self._tickets

    def settle(self, ticket: int, cost_usd: float | None) -> None:
        """Give back what was set aside and count the cost; None counts all that was set aside."""
        with self._changed:
            most = self._reserved.pop(ticket)
            self._spent += most if cost_usd is None else cost_usd
            self._changed.notify_all()

    def _fits(self, most_usd: float) -> bool:
        if self.limit_usd is None:
            return True
        return self._spent + sum(self._reserved.values()) + most_usd <= self.limit_usd
