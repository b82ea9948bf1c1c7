"""One finished request, as it is reported to those who listen: the log, the controller, a page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Literal

from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Usage

_log = logging.getLogger(__name__)

Outcome = Literal["done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What became of one request.

    Parameters
    ----------
    decision : Decision
        The final one: the arm that answered, with the cost.
    outcome : {"done", "failed", "cancelled"}
        A stream that was closed or dropped before its end is cancelled.
    error : str or None
        The kind of the error that ended it; never its message.
    usage : Usage or None
        Tokens; None where no arm began to answer.
    costs_usd : mapping of str to float or None
        What these tokens cost at each arm, in US dollars; None where its prices are not known.
    streamed : bool
    first_token_ms : float or None
        Streams: from the request to the first token, routing and failed arms included.
    total_ms : float
        From the request to the end.
    at : float
        When it ended, in seconds since the epoch.
    request : ChatRequest
        What was asked. Listeners that store or print should leave it out.
    trace_context : opentelemetry.context.Context or None
        Where the caller stood in a trace when it asked.
    """

    decision: Decision
    outcome: Outcome
    error: str | None = None
    usage: Usage | None = None
    costs_usd: Mapping[str, float | None] = field(default_factory=dict)
    streamed: bool
    first_token_ms: float | None = None
    total_ms: float
    at: float
    request: ChatRequest = field(repr=False)
    trace_context: Any = field(default=None, repr=False, compare=False)

    @property
    def wait_ms(self) -> float | None:
        """How long the caller saw nothing: to the first token, or to a whole answer's end."""
        if self.streamed:
            return self.first_token_ms
        return self.total_ms if self.outcome == "done" else None


Listener = Callable[[Answered], None]


class Listeners:
    """Those who are told of every finished request, in the thread that finished it.

    A listener must be quick and safe to call from several threads. One that raises is logged, and
    harms neither the answer nor the others.
    """

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._lock = Lock()
        # A SimpleQueue, since a finalizer may put into it while it interrupts any code.
        self._late: SimpleQueue[Callable[[], Answered]] = SimpleQueue()

    def add(self, listener: Listener) -> None:
        """Tell ``listener`` from now on."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

    def remove(self, listener: Listener) -> None:
        """Tell ``listener`` no more."""
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one != listener)

    def tell(self, answered: Answered) -> None:
        """Tell all of one finished request, and of those that were told from a finalizer."""
        self.catch_up()
        self._tell(answered)

    def tell_later(self, make: Callable[[], Answered]) -> None:
        """Have all told with the next one; safe to call from a finalizer."""
        self._late.put(make)

    def catch_up(self) -> None:
        """Tell of what came from finalizers."""
        with suppress(Empty):
            while True:
                self._tell(self._late.get_nowait()())

    def _tell(self, answered: Answered) -> None:
        for listener in self._listeners:
            try:
                listener(answered)
            except Exception as exc:  # a listener may be anyone's code
                _log.warning("a listener failed (%s)", type(exc).__name__)
