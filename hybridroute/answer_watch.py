"""Follows one request from its routing to its end, and reports it once."""

from __future__ import annotations

import time
from collections.abc import Callable

from hybridroute.answered import Answered, Listeners, Outcome
from hybridroute.costs import Costs, estimated_usage
from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest, Completion, CompletionChunk, Usage
from hybridroute.sessions import Sessions
from hybridroute.tracing import trace_context


class AnswerWatch:
    """One request's times, tokens and end.

    Parameters
    ----------
    request : ChatRequest
    session : str or None
        The conversation's id.
    sessions : Sessions
        Told which arm answers, as soon as it does, and of the tool calls it makes.
    costs : Costs
    listeners : Listeners
        Told of the end.
    """

    def __init__(
        self,
        request: ChatRequest,
        *,
        session: str | None,
        sessions: Sessions,
        costs: Costs,
        listeners: Listeners,
    ) -> None:
        self._request = request
        self._session, self._sessions = session, sessions
        self._costs, self._listeners = costs, listeners
        self._start = time.perf_counter()
        self._trace_context = trace_context()
        self.streamed = False
        """Whether the answer comes as a stream."""
        self._first_token_ms: float | None = None
        self._bytes = 0
        self._usage: Usage | None = None
        self._answering = False
        self._ended = False

    @property
    def usage(self) -> Usage | None:
        """The token counts as the arm said them; None before that."""
        return self._usage

    def first_token(self, decision: Decision) -> None:
        """The first token has come: from now on the decision's arm is the one that answers."""
        self._answering = True
        self._first_token_ms = self._since_start()
        self._sessions.answering(self._session, decision)

    def chunk(self, decision: Decision, chunk: CompletionChunk) -> Decision:
        """One chunk of the answer; the decision has its cost with the chunk that has the usage."""
        for choice in chunk.choices:
            self._bytes += len((choice.delta.content or "").encode("utf-8", "replace"))
            if choice.delta.tool_calls:
                self._sessions.called(choice.delta.tool_calls, decision.arm)
        if chunk.usage is None:
            return decision
        self._usage = chunk.usage
        return self._costs.settled(decision, chunk.usage, estimated=False)

    def whole(self, decision: Decision, completion: Completion) -> Decision:
        """A whole answer; the decision with its cost."""
        self._answering, self._usage = True, completion.usage
        self._sessions.answering(self._session, decision)
        for choice in completion.choices:
            self._bytes += len((choice.message.content or "").encode("utf-8", "replace"))
            self._sessions.called(choice.message.tool_calls, decision.arm)
        return self._report(decision, "done", None)

    def done(self, decision: Decision) -> Decision:
        """A stream came to its end."""
        return self._report(decision, "done", None)

    def end(self, decision: Decision, error: BaseException | None) -> None:
        """The request ended early: by an error, or (None) because nobody wanted it any more."""
        outcome: Outcome = "cancelled" if error is None else "failed"
        self._report(decision, outcome, error)

    def dropped(self, decision: Callable[[], Decision]) -> None:
        """A stream was dropped; called by its finalizer, so it only leaves word."""
        if not self._ended and self._answering:
            self._listeners.tell_later(lambda: self._answered(decision(), "cancelled", None))
            self._ended = True

    def _report(
        self, decision: Decision, outcome: Outcome, error: BaseException | None
    ) -> Decision:
        if self._ended:
            return decision
        self._ended = True
        answered = self._answered(decision, outcome, error)
        self._listeners.tell(answered)
        return answered.decision

    def _answered(
        self, decision: Decision, outcome: Outcome, error: BaseException | None
    ) -> Answered:
        usage, estimated = self._usage, False
        if usage is None and self._answering:
            usage, estimated = estimated_usage(self._request, self._bytes), True
        if usage is not None:
            decision = self._costs.settled(decision, usage, estimated=estimated)
        return Answered(
            decision=decision,
            outcome=outcome,
            error=None if error is None else type(error).__name__,
            usage=usage,
            costs_usd={} if usage is None else self._costs.at_each_arm(usage),
            streamed=self.streamed,
            first_token_ms=self._first_token_ms,
            total_ms=self._since_start(),
            at=time.time(),
            request=self._request,
            trace_context=self._trace_context,
        )

    def _since_start(self) -> float:
        return round((time.perf_counter() - self._start) * 1000.0, 3)
