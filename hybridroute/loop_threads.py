"""Threads that do a client's blocking work for event loops."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import Context, copy_context
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.stop_signal import StopSignal

_log = logging.getLogger(__name__)

Result = TypeVar("Result")
Decided = TypeVar("Decided")
Task = Callable[[], object]

_DECIDING_THREADS = 4
_CLOSED = "this client was closed; make a new one"


class LoopThreads:
    """A bounded pool for answers, a small one for decisions, and one thread that ends calls.

    Decisions have threads of their own, so that a new request is routed while every answering
    thread is busy, and so that a burst does not score on a hundred threads at once. Ending a call
    may wait for another thread for a moment, and a finalizer must not take a lock: the ending
    thread takes its tasks from a ``SimpleQueue``, whose ``put`` is made for that.

    Parameters
    ----------
    answers : int
        Answers at the same time; each holds a thread while it is asked for.
    """

    def __init__(self, answers: int) -> None:
        if isinstance(answers, bool) or not isinstance(answers, int) or answers < 1:
            raise ConfigError(f"max_concurrency is {answers!r}; give a whole number, at least 1")
        self._answers = ThreadPoolExecutor(answers, thread_name_prefix="hybridroute-answer")
        self._decisions = ThreadPoolExecutor(
            _DECIDING_THREADS, thread_name_prefix="hybridroute-decide"
        )
        self._endings: SimpleQueue[Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._is_open = True
        self._ending_thread: threading.Thread | None = None

    async def decide(self, call: Callable[[], Result]) -> Result:
        """Run a short call in a thread, in the caller's context."""
        self._begin()
        return await asyncio.wrap_future(
            self._submit(self._decisions, partial(copy_context().run, call))
        )

    async def answer(self, call: Callable[[StopSignal], Result]) -> Result:
        """Run a long call in a thread; cancelling the awaiting task sets its signal."""
        self._begin()
        stop = StopSignal()
        try:
            return await asyncio.wrap_future(
                self._submit(self._answers, partial(copy_context().run, call, stop))
            )
        except asyncio.CancelledError:
            self.end_soon(stop.set)
            raise

    async def decide_and_answer(
        self, decide: Callable[[], Decided], answer: Callable[[Decided, StopSignal], Result]
    ) -> Result:
        """Run a short call and then, with what it gave, a long one, as the two above do.

        The thread that decided hands over to the one that answers: every way through the loop
        costs the request a wait for it.
        """
        self._begin()
        stop, context = StopSignal(), copy_context()
        done: Future[Result] = Future()

        def second(decided: Decided) -> None:
            if done.set_running_or_notify_cancel():
                _settle_with(done, partial(context.run, answer, decided, stop))

        def first() -> None:
            try:
                self._answers.submit(second, context.run(decide))
            except BaseException as exc:  # raised where the answer is awaited
                if done.set_running_or_notify_cancel():
                    done.set_exception(exc)

        self._submit(self._decisions, first)
        try:
            return await asyncio.wrap_future(done)
        except asyncio.CancelledError:
            self.end_soon(stop.set)
            raise

    def start(self, call: Task, context: Context) -> None:
        """Run a long call in a thread; nobody waits for its result."""
        self._begin()
        self._submit(self._answers, partial(context.run, call))

    def end_soon(self, task: Task) -> None:
        """Run a task that ends a call, soon; safe to call from a finalizer."""
        self._endings.put(task)

    async def end(self, task: Task) -> None:
        """Run a task that ends a call, and wait for it; what it raises is raised here."""
        done = asyncio.get_running_loop().create_future()
        run = partial(_run_and_tell, task, done)
        with self._lock:
            # While it is open, the ending thread is sure to come to what is put here.
            if can_wait := self._is_open and self._ending_thread is not None:
                self._endings.put(run)
        if not can_wait:
            threading.Thread(target=run, name="hybridroute-ending", daemon=True).start()
        await done

    async def close(self, task: Task) -> None:
        """Run the last task, then wait until every thread has ended; safe to call twice.

        What the task raises is raised here, when every thread has ended.
        """
        with self._lock:
            first, self._is_open = self._is_open, False
            thread = self._ending_thread
        if not first:
            return
        done = asyncio.get_running_loop().create_future()
        run = partial(_run_and_tell, partial(self._close, task, thread), done)
        threading.Thread(target=run, name="hybridroute-closing").start()
        await done

    def _close(self, task: Task, thread: threading.Thread | None) -> None:
        try:
            task()
        finally:
            self._decisions.shutdown()  # first, as a decision may hand over to an answer
            self._answers.shutdown()
            self._endings.put(None)
            if thread is not None:
                thread.join()

    def _submit(self, pool: ThreadPoolExecutor, call: Callable[[], Result]) -> Future[Result]:
        try:
            return pool.submit(call)
        except RuntimeError as exc:
            if self._is_open:
                raise
            # It was closed by another thread since ``_begin`` looked.
            raise ConfigError(_CLOSED) from exc

    def _begin(self) -> None:
        """Start the ending thread with the first call: nothing runs in a client never used."""
        with self._lock:
            if not self._is_open:
                raise ConfigError(_CLOSED)
            if self._ending_thread is None:
                thread = threading.Thread(
                    target=_run_all, args=(self._endings,), name="hybridroute-ending", daemon=True
                )
                thread.start()
                self._ending_thread = thread
                # For a client that is dropped without being closed; its pools see to themselves.
                weakref.finalize(self, self._endings.put, None)


def _settle_with(done: Future[Result], call: Callable[[], Result]) -> None:
    try:
        result = call()
    except BaseException as exc:  # raised again where it is awaited
        done.set_exception(exc)
    else:
        done.set_result(result)


def _run_all(tasks: SimpleQueue[Task | None]) -> None:
    while (task := tasks.get()) is not None:
        try:
            task()
        except Exception as exc:  # an arm of one's own may fail to close; others still have to
            _log.warning("a call could not be ended (%s)", type(exc).__name__)
        del task  # it may hold the last reference to what it ended


def _run_and_tell(task: Task, done: asyncio.Future[None]) -> None:
    error: Exception | None = None
    try:
        task()
    except Exception as exc:  # raised where it is awaited
        error = exc
    with suppress(RuntimeError):  # the loop was closed, and nobody waits
        done.get_loop().call_soon_threadsafe(_settle, done, error)


def _settle(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():
        if error is not None:
            _log.warning("a call could not be ended (%s)", type(error).__name__)
    elif error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
