"""A streamed answer for event loops: read by a thread, handed over without blocking."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator
from contextlib import suppress
from contextvars import copy_context
from types import TracebackType
from typing import Self

from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import Usage
from hybridroute.loop_threads import LoopThreads
from hybridroute.responses import ChatCompletionChunk
from hybridroute.stream import ChatStream


class AsyncChatStream(AsyncIterator[ChatCompletionChunk]):
    """The chunks of one answer, each with its Decision; see :class:`ChatStream`.

    Nothing is asked of an arm before the first chunk is awaited. Closing the stream, leaving its
    ``async with`` block, dropping it, or cancelling the task that awaits a chunk cancels the
    generation. Read it from one task. A reader slower than the arm makes the rest wait in memory,
    at most one answer.
    """

    def __init__(self, stream: ChatStream, threads: LoopThreads) -> None:
        self._stream = stream
        self._threads = threads
        self._context = copy_context()
        self._handover: _Handover | None = None
        # Neither the reading thread nor the finalizer holds this object: it is free to be dropped.
        self._finalizer = weakref.finalize(self, threads.end_soon, stream.close)
        self._finalizer.atexit = False

    @property
    def decision(self) -> Decision:
        """The Decision in force: final once the first chunk is there."""
        return self._stream.decision

    @property
    def first_token_ms(self) -> float | None:
        """Milliseconds to the first token, or None before it; see :class:`ChatStream`."""
        return self._stream.first_token_ms

    @property
    def usage(self) -> Usage | None:
        """The token counts, once the arm has said them; see :class:`ChatStream`."""
        return self._stream.usage

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatCompletionChunk:
        """The next chunk. Raises as ``ChatStream`` does."""
        if not self._finalizer.alive:
            raise StopAsyncIteration
        if self._handover is None:
            self._handover = _Handover(asyncio.get_running_loop())
            stream, handover = self._stream, self._handover
            self._threads.start(lambda: handover.read(stream), self._context)
        try:
            return await self._handover.take()
        except BaseException:
            # The end, an error, or the awaiting task was cancelled: nothing more is wanted.
            self._finalizer()
            raise

    async def aclose(self) -> None:
        """Cancel; further chunks never come. Safe to call twice."""
        if self._finalizer.detach() is not None:
            await self._threads.end(self._stream.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


class _Handover:
    """Chunks on their way from the thread that reads them to the loop that awaits them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = threading.Lock()
        self._chunks: deque[ChatCompletionChunk] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._ended = False
        self._error: BaseException | None = None

    def read(self, stream: ChatStream) -> None:
        """Read the stream to its end; runs in a thread."""
        error: BaseException | None = None
        try:
            for chunk in stream:
                with self._lock:
                    self._chunks.append(chunk)
                self._wake()
        except BaseException as exc:  # raised again where the chunks are awaited
            error = exc
        with self._lock:
            self._ended, self._error = True, error
        self._wake()

    async def take(self) -> ChatCompletionChunk:
        """The next chunk; StopAsyncIteration or the stream's error after the last."""
        while True:
            with self._lock:
                if self._chunks:
                    return self._chunks.popleft()
                if self._ended:
                    error, self._error = self._error, None
                    break
                waiting = self._waiting = self._loop.create_future()
            await waiting
        raise StopAsyncIteration if error is None else error

    def _wake(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            with suppress(RuntimeError):  # the loop was closed, and nobody awaits anything
                self._loop.call_soon_threadsafe(_settle, waiting)


def _settle(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
