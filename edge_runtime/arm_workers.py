"""Worker threads that own a chat engine and answer one job after another."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from queue import SimpleQueue

from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ArmError, HybridRouteError
from hybridroute.edge_runtime.protocols import ChatEngine, Finish

_LOG = logging.getLogger(__name__)

Event = str | Finish | HybridRouteError | None
"""A piece of text, the end, an error, or None: the reader itself closed."""


class Job:
    """One generation. Its events go to ``events``, which never blocks the worker.

    ``cancelled`` is a plain flag: it is also set while an object is being collected, where taking
    a lock could wait for ever.
    """

    __slots__ = ("cancelled", "events", "index", "request")

    def __init__(
        self, request: ChatRequest, index: int, events: SimpleQueue[tuple[int, Event]]
    ) -> None:
        self.request = request
        self.index = index
        self.events = events
        self.cancelled = False

    def put(self, event: Event) -> None:
        """Hand one event to the reader."""
        self.events.put((self.index, event))


class ArmWorkers:
    """A queue of jobs and the threads that work through it.

    Parameters
    ----------
    engine : ChatEngine
        Owned: closed by ``close``.
    count : int
        Threads, so answers at the same time.
    arm : str
        The arm's name, for errors and thread names.
    """

    def __init__(self, engine: ChatEngine, *, count: int, arm: str) -> None:
        self.engine = engine
        self._arm = arm
        self._lock = threading.Lock()
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._open: set[Job] = set()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._work, name=f"hybridroute-{arm}-{number}", daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, jobs: Iterable[Job]) -> bool:
        """Queue jobs; False, and none queued, once closed."""
        with self._lock:
            if self._closed:
                return False
            for job in jobs:
                self._open.add(job)
                self._jobs.put(job)
            return True

    def close(self, *, if_idle: bool = False) -> bool:
        """Cancel every job, join the threads, close the engine; safe to call twice.

        With ``if_idle``, not where a job is open. Returns whether it is closed.
        """
        with self._lock:
            if if_idle and self._open:
                return False
            first, self._closed = not self._closed, True
            if first:
                for job in self._open:
                    job.cancelled = True
                for _ in self._threads:
                    self._jobs.put(None)
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        if first:
            self.engine.close()
        return True

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            event = self._answer(job)
            with self._lock:
                self._open.discard(job)
                closed = self._closed
            if closed and isinstance(event, Finish) and event.reason == "cancelled":
                event = ArmError(f"the {self._arm} arm was closed while answering", arm=self._arm)
            job.put(event)
            # The thread must not keep the last job's reader alive while it waits for the next.
            del job, event

    def _answer(self, job: Job) -> Event:
        def take(text: str) -> bool:
            if text and not job.cancelled:
                job.put(text)
            return job.cancelled

        if job.cancelled:
            return Finish(reason="cancelled", prompt_tokens=0, completion_tokens=0)
        try:
            return self.engine.generate(job.request, take)
        except HybridRouteError as exc:
            if isinstance(exc, ArmError) and not exc.arm:
                exc.arm = self._arm
            return exc
        except BaseException as exc:
            _LOG.error("the %s arm's engine failed: %s", self._arm, type(exc).__name__)
            failure = ArmError(
                f"the engine of the {self._arm} arm failed ({type(exc).__name__}); try again, or "
                "close the arm and make a new one",
                arm=self._arm,
            )
            failure.__cause__ = exc
            return failure
