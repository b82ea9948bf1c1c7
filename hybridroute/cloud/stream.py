"""A streamed answer: events in, chunks out."""

from __future__ import annotations

import json
import threading
import time
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Self

from hybridroute.cloud.exchange import Exchange
from hybridroute.cloud.failures import Failures
from hybridroute.cloud.sse import SseEvent, events
from hybridroute.cloud.wire import read_chunk
from hybridroute.edge_runtime.chat import CompletionChunk
from hybridroute.edge_runtime.errors import ArmError, ArmUnavailable, StreamInterrupted

_DONE = "[DONE]"


class CloudStream:
    """Chunks of one answer, as they arrive.

    Closing it, from any thread, ends the iteration and closes the connection, so that the server
    can stop generating; so does dropping the last reference to it.

    Parameters
    ----------
    exchange : Exchange
        The answer, its headers read.
    model : str
        Stands in where a chunk names no model.
    name : str
        The arm's name, for errors.
    """

    def __init__(self, exchange: Exchange, *, model: str, name: str) -> None:
        self._exchange = exchange
        self._name = name
        # Neither the chunks nor the finalizer refer to the stream: it must be free to be dropped.
        self._chunks = read_chunks(
            events(exchange.pieces()), failures=exchange.failures, model=model
        )
        self._turn = threading.RLock()
        self._is_closed = False
        self._finalizer = weakref.finalize(self, exchange.drop)

    def __iter__(self) -> Iterator[CompletionChunk]:
        return self

    def __next__(self) -> CompletionChunk:
        """The next chunk.

        Raises
        ------
        StreamInterrupted
            If the answer ends in the middle or cannot be read.
        ArmTimeout
            If nothing comes for ``chunk_timeout_s``, or at the deadline.
        ArmError
            If the server reports an error.
        """
        with self._turn:
            if self._is_closed:
                raise StopIteration
            try:
                return next(self._chunks)
            except StopIteration:
                self._exchange.drain()
                self._end()
                raise
            except BaseException as exc:
                was_closed = self._is_closed
                self._end()
                if was_closed and isinstance(exc, ArmError):
                    raise StopIteration from None
                if isinstance(exc, ArmError):
                    exc.arm = self._name
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel; a reader in another thread wakes up and its loop ends. Safe to call twice."""
        self._is_closed = True
        self._exchange.cut("closed")
        with self._turn:
            self._end()

    def _end(self) -> None:
        self._is_closed = True
        self._finalizer.detach()
        self._exchange.release()


def read_chunks(
    incoming: Iterable[SseEvent], *, failures: Failures, model: str
) -> Iterator[CompletionChunk]:
    """Turn events into chunks, up to ``[DONE]`` or a proper end.

    Raises
    ------
    StreamInterrupted
        If the events end before ``[DONE]`` and before every begun choice has its finish reason, or
        if one is not a JSON object; the message gives its line, never its text.
    ArmError
        If an event holds an ``error`` object.
    """
    now, id, is_begun = int(time.time()), "", False
    finished: dict[int, bool] = {}
    for event in incoming:
        if event.data.strip() == _DONE:
            return
        payload = _payload(event)
        if event.event == "error" or payload.get("error"):
            fault = payload.get("error") or payload
            raise _stream_fault(failures.from_payload(fault), is_begun=is_begun)
        chunk = read_chunk(payload, id=id, model=model, now=now)
        id, now = chunk.id, chunk.created
        for choice in chunk.choices:
            ended = choice.finish_reason is not None
            finished[choice.index] = finished.get(choice.index, False) or ended
        is_begun = True
        yield chunk
    if not finished or not all(finished.values()):
        raise StreamInterrupted("the stream ended before the answer was complete; ask again")


def _payload(event: SseEvent) -> dict[str, Any]:
    try:
        payload = json.loads(event.data)
    except (ValueError, RecursionError) as exc:
        # Only the kind of fault is chained: a JSONDecodeError carries the whole text.
        raise StreamInterrupted(_malformed(event, type(exc).__name__)) from None
    if not isinstance(payload, dict):
        raise StreamInterrupted(_malformed(event, type(payload).__name__))
    return payload


def _malformed(event: SseEvent, what: str) -> str:
    return f"line {event.line} of the stream is not a JSON object ({what}); ask again"


def _stream_fault(error: ArmError, *, is_begun: bool) -> ArmError:
    if is_begun and isinstance(error, ArmUnavailable):
        return StreamInterrupted(str(error), status=error.status)
    return error
