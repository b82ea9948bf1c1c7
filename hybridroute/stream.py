"""A streamed answer: an iterator of chunks that can be closed at any time."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from threading import Lock
from time import perf_counter
from types import TracebackType
from typing import Self

from hybridroute.attempts import Attempts
from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, CompletionChunk, Usage
from hybridroute.edge_runtime.errors import ArmUnavailable, HybridRouteError
from hybridroute.edge_runtime.protocols import Arm, ChunkStream, StoppableArm
from hybridroute.edge_runtime.stop_signal import StopSignal
from hybridroute.responses import ChatCompletionChunk


class ChatStream(Iterator[ChatCompletionChunk]):
    """The chunks of one answer, each with its Decision.

    Nothing is asked of an arm before the first ``next()``. If the arm fails before its first token,
    another may take over, and the Decision changes; after the first token the error is raised.
    Chunks that come before the first token (OpenAI's opening chunk holds only the role) are held
    back until it is there, so that no caller sees the opening of an answer that another arm gives.
    A cloud's last chunk, of token counts and without choices, is handed over only to who asked for
    it (``stream_options={"include_usage": True}``); ``usage`` has the counts either way.

    Closing the stream, leaving its ``with`` block or dropping it cancels the generation. Read it
    from one thread; close it from any.
    """

    def __init__(
        self, attempts: Attempts, request: ChatRequest, *, check_open: Callable[[], None]
    ) -> None:
        self._attempts = attempts
        self._request = request
        self._check_open = check_open
        self._chunks: ChunkStream | None = None
        self._held: deque[CompletionChunk] = deque()
        self._lock = Lock()
        self._closed = False
        self._stop = StopSignal()
        self._first_token_ms: float | None = None
        asked = request.extra.get("stream_options")
        self._shows_usage = isinstance(asked, Mapping) and bool(asked.get("include_usage"))
        attempts.watch.streamed = True
        # Neither refers to the stream, which is free to be dropped.
        self._finalizer = weakref.finalize(self, attempts.dropped)
        self._finalizer.atexit = False

    @property
    def decision(self) -> Decision:
        """The Decision in force: final once the first chunk is there."""
        return self._attempts.decision

    @property
    def first_token_ms(self) -> float | None:
        """Milliseconds to the first token, or None before it.

        Counted from the first ``next()``, plus what routing took, failed arms included.
        """
        return self._first_token_ms

    @property
    def usage(self) -> Usage | None:
        """The token counts, once the arm has said them: by the end of the stream, if at all."""
        return self._attempts.watch.usage

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChatCompletionChunk:
        """The next chunk.

        Raises
        ------
        ArmError
            If the arm fails and none may take over.
        ConfigError
            If the client was closed before the stream was begun.
        """
        while True:
            chunk = self._next()
            self._attempts.chunk(chunk)
            if chunk.choices or self._shows_usage:
                return ChatCompletionChunk.of(chunk, self.decision)

    def _next(self) -> CompletionChunk:
        if self._closed:
            raise StopIteration
        try:
            if self._chunks is None:
                self._begin()
            return self._held.popleft() if self._held else self._following()
        except StopIteration:
            if not self._closed:
                self._attempts.done()
            self.close()
            raise
        except HybridRouteError as exc:
            if self._closed:  # another thread's close() is what broke the stream
                raise StopIteration from exc
            self._attempts.ended(exc)
            self.close()
            raise
        except BaseException as exc:
            self._attempts.ended(exc)
            self.close()
            raise

    def close(self) -> None:
        """Cancel; further chunks never come. Safe to call twice and from another thread."""
        with self._lock:
            self._closed = True
            chunks, self._chunks = self._chunks, None
        if chunks is not None:
            chunks.close()
        self._stop.set()
        self._attempts.ended(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _following(self) -> CompletionChunk:
        chunks = self._chunks
        if chunks is None:
            raise StopIteration
        return next(chunks)

    def _begin(self) -> None:
        """Open the arm and read up to the first token, moving on to another arm if it fails."""
        start = perf_counter()
        self._check_open()
        while not self._closed:
            try:
                self._read_to_first_token()
            except HybridRouteError as exc:
                self._drop_arm()
                if self._closed or not self._attempts.move_on(exc):
                    raise
            else:
                self._attempts.first_token()
                waited = (perf_counter() - start) * 1000.0
                self._first_token_ms = round(waited + self.decision.latency_ms, 3)
                return

    def _read_to_first_token(self) -> None:
        arm = self._attempts.arm
        chunks = _open(arm, self._request, self._stop)
        with self._lock:
            if not self._closed:
                self._chunks = chunks
        if self._closed:
            chunks.close()
            return
        for chunk in chunks:
            self._held.append(chunk)
            if _has_token(chunk):
                return
        if not self._closed:
            raise ArmUnavailable(f"{arm.name} ended its answer before it began", arm=arm.name)

    def _drop_arm(self) -> None:
        with self._lock:
            chunks, self._chunks = self._chunks, None
        self._held.clear()
        if chunks is not None:
            chunks.close()


def _open(arm: Arm, request: ChatRequest, stop: StopSignal) -> ChunkStream:
    if isinstance(arm, StoppableArm):
        return arm.stream_until(request, stop)
    return arm.stream(request)


def _has_token(chunk: CompletionChunk) -> bool:
    return any(
        choice.delta.content or choice.delta.tool_calls or choice.finish_reason is not None
        for choice in chunk.choices
    )
