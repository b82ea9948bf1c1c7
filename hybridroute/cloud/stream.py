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
    """

    def __init__(self, exchange: Exchange, *, model: str) -> None:
        self._exchange = exchange
        # Neither the chunks nor the finalizer refer to the stream: it must be free to be dropped.
        self._chunks = read_chunks(
            events(exchange.pieces()), failures=exchange.failures, model=model
        )
        self._turn = threading.RLock()
        self._closed = threading.Event()
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
            if self._closed.is_set():
                raise StopIteration
            try:
                return next(self._chunks)
            except StopIteration:
                self._exchange.drain()
                self._end()
                raise
            except BaseException as exc:
                was_closed = self._closed.is_set()
                self._end()
                if was_closed and isinstance(exc, ArmError):
                    raise StopIteration from None
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Cancel; a reader in another thread wakes up and its loop ends. Safe to call twice."""
        self._closed.set()
        self._exchange.cut("closed")
        with self._turn:
            self._end()

    def _end(self) -> None:
        self._closed.set()
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
    NoAnswer
        If ``[DONE]`` comes and no choice came before it.
    ArmError
        If an event holds an ``error`` object.
    """
    now, id, is_begun = int(time.time()), "", False
    finished: dict[int, bool] = {}
    for event in incoming:
        if event.data.strip() == _DONE:
            if not finished:
                raise failures.no_choice()
            return
        payload = _payload(event, failures)
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
        raise failures.broken("the stream ended before the answer was complete")


def _payload(event: SseEvent, failures: Failures) -> dict[str, Any]:
    try:
        payload = json.loads(event.data)
    except (ValueError, RecursionError) as exc:
        # Not chained: a JSONDecodeError carries the whole text.
        raise failures.broken(_malformed(event, type(exc).__name__)) from None
    if not isinstance(payload, dict):
        raise failures.broken(_malformed(event, type(payload).__name__))
    return payload


def _malformed(event: SseEvent, what: str) -> str:
    return f"line {event.line} of the stream is not a JSON object ({what})"


def _stream_fault(error: ArmError, *, is_begun: bool) -> ArmError:
    if is_begun and isinstance(error, ArmUnavailable):
        return StreamInterrupted(str(error), arm=error.arm, status=error.status)
    return error
