"""One request's deadline, and the switch that ends it from another thread."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import Literal

from hybridroute.cloud.line import Line

Cause = Literal["deadline", "closed", "arm closed"]


class Call:
    """Cuts a line's socket at a deadline, or when told to.

    Socket time-outs start anew with every byte, so a server that trickles its headers outlives
    them; only closing the socket from outside ends such a read. Each call has a thread of its own
    for that: it ends with the call, nothing is shared between calls, and there is nothing to stop
    when an application forgets to close an arm. Starting it takes some 0.1 ms, against a network
    request.

    Parameters
    ----------
    line : Line
        The line to cut.
    total_s : float
        Seconds from now to the deadline.
    """

    def __init__(self, line: Line, total_s: float) -> None:
        self.line = line
        self.cause: Cause | None = None
        self._ends_at = time.monotonic() + total_s
        # A SimpleQueue because a garbage-collected stream says goodbye from a finalizer, which may
        # interrupt any code, this thread's included; its put() is made for that, a lock is not.
        self._inbox: SimpleQueue[Cause | None] = SimpleQueue()
        self._was_cut = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="hybridroute-cloud-call", daemon=True
        )
        self._thread.start()

    @property
    def remaining_s(self) -> float:
        """Seconds to the deadline; 0 when it is past."""
        return max(0.0, self._ends_at - time.monotonic())

    def cut(self, cause: Cause) -> None:
        """End the call; a blocked reader wakes up. Has no effect on a call that has ended."""
        self._inbox.put(cause)
        self._join()

    def finish(self) -> None:
        """End the watch and its thread; ``cause`` does not change afterwards."""
        self._inbox.put(None)
        self._join()

    def forget(self) -> None:
        """End the watch without waiting for its thread: for finalizers."""
        self._inbox.put(None)

    def sleep(self, seconds: float) -> None:
        """Wait, unless the call is cut first."""
        self._was_cut.wait(seconds)

    def _join(self) -> None:
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _watch(self) -> None:
        try:
            cause = self._inbox.get(timeout=self.remaining_s)
        except Empty:
            cause = "deadline"
        if cause is not None:
            self.cause = cause
            self._was_cut.set()
            self.line.cut()
