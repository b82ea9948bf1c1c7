"""What ``chat.completions`` asks: each client is an Answerer."""

from __future__ import annotations

from typing import Protocol, TypeVar

from hybridroute.decision import Mode
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.setting import Setting

Whole_co = TypeVar("Whole_co", covariant=True)
Streamed_co = TypeVar("Streamed_co", covariant=True)


class Answerer(Protocol[Whole_co, Streamed_co]):
    """What takes a checked request and answers it.

    A client that blocks gives answers, an asynchronous one awaitables of them.
    """

    def answer(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None,
        mode: Mode | None,
        session: str | None,
    ) -> Whole_co:
        """The whole answer."""
        ...

    def begin(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None,
        mode: Mode | None,
        session: str | None,
    ) -> Streamed_co:
        """The answer as a stream."""
        ...
