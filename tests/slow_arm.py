"""An arm that answers for ever, until it is told to stop; it says when it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from sdk_fakes import EDGE_MODEL, EVERYTHING, chunk

from hybridroute.edge_runtime.chat import ChatRequest, Completion, CompletionChunk, Message
from hybridroute.edge_runtime.errors import ArmUnavailable
from hybridroute.edge_runtime.stop_signal import StopSignal


class EndlessStream:
    """A word every 5 ms. ``last`` makes it end after so many."""

    def __init__(self, ended: threading.Event, last: int | None = None) -> None:
        self._ended = ended
        self._last = last
        self._count = 0

    def __iter__(self) -> EndlessStream:
        return self

    def __next__(self) -> CompletionChunk:
        if self._ended.is_set() or (self._last is not None and self._count > self._last):
            raise StopIteration
        time.sleep(0.005)
        self._count += 1
        if self._last is not None and self._count > self._last:
            return chunk(finish="stop")
        return chunk(f"{self._count} ")

    def close(self) -> None:
        self._ended.set()


class SlowArm:
    """Streams words for ever (or ``last`` of them); a whole answer never comes."""

    def __init__(self, name: str = "edge", *, last: int | None = None) -> None:
        self.name = name
        self.model = EDGE_MODEL
        self.place = "device" if name == "edge" else "cloud"
        self.capabilities = EVERYTHING
        self.begun = threading.Event()
        self.ended = threading.Event()
        self._last = last

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(messages)

    def complete(self, request: ChatRequest) -> Completion:
        return self.complete_until(request, StopSignal())

    def complete_until(self, request: ChatRequest, stop: StopSignal) -> Completion:
        self.begun.set()
        stop.tell(self.ended.set)
        self.ended.wait(30)
        raise ArmUnavailable("stopped", arm=self.name)

    def stream(self, request: ChatRequest) -> EndlessStream:
        return self.stream_until(request, StopSignal())

    def stream_until(self, request: ChatRequest, stop: StopSignal) -> EndlessStream:
        self.begun.set()
        stop.tell(self.ended.set)
        return EndlessStream(self.ended, self._last)

    def warm_up(self) -> None:
        pass

    def close(self) -> None:
        self.ended.set()
