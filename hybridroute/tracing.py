"""OpenTelemetry spans, where the application uses OpenTelemetry; else nothing is imported or done.

Spans are made when a request has finished, with the times it had, so a request costs nothing
while it runs. They hold names, numbers and words of fixed vocabularies: never a prompt, an answer,
a key or an error's message. Names of ``gen_ai`` attributes are those of OpenTelemetry's semantic
conventions for generative AI.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hybridroute._version import __version__

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from hybridroute.answered import Answered
    from hybridroute.decision import Decision

_NAME = "hybridroute"


def trace_context() -> Any:
    """The caller's place in a trace, for spans that are made later; None where nothing traces."""
    api = sys.modules.get("opentelemetry.context")
    current = getattr(api, "get_current", None)
    return None if current is None else current()


def trace_answer(answered: Answered) -> None:
    """Spans of one finished request: the whole, its routing, and the arm's call; a listener."""
    tracer = _tracer()
    if tracer is None:
        return
    decision = answered.decision
    end = int(answered.at * 1e9)
    start = end - int(answered.total_ms * 1e6)
    routed = start + int(decision.latency_ms * 1e6)
    whole = tracer.start_span(
        f"{_NAME}.chat",
        context=answered.trace_context,
        start_time=start,
        attributes=_given({f"{_NAME}.outcome": answered.outcome, **_of_decision(decision)}),
    )
    if whole.is_recording():
        below = _below(whole)
        _route_span(tracer, decision, below, start, routed)
        call = tracer.start_span(
            f"chat {decision.model}",
            context=below,
            start_time=routed,
            attributes=_given(_of_call(answered)),
        )
        for span in (call, whole):
            _mark_failure(span, answered.error)
        call.end(end_time=end)
    whole.end(end_time=end)


def trace_route(decision: Decision) -> Decision:
    """The same decision, with a span of its own: nobody answers on it."""
    tracer = _tracer()
    if tracer is not None:
        end = time.time_ns()
        _route_span(tracer, decision, None, end - int(decision.latency_ms * 1e6), end)
    return decision


def _tracer() -> Tracer | None:
    get_tracer = getattr(sys.modules.get("opentelemetry.trace"), "get_tracer", None)
    return None if get_tracer is None else get_tracer(_NAME, __version__)


def _below(span: Span) -> Any:
    from opentelemetry.trace import set_span_in_context

    return set_span_in_context(span)


def _mark_failure(span: Span, error: str | None) -> None:
    if error is not None:
        from opentelemetry.trace import StatusCode

        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)


def _route_span(tracer: Tracer, decision: Decision, context: Any, start: int, end: int) -> None:
    made = tracer.start_span(
        f"{_NAME}.route",
        context=context,
        start_time=start,
        attributes=_given(_of_decision(decision)),
    )
    made.end(end_time=end)


def _of_decision(decision: Decision) -> dict[str, Any]:
    held = {
        name: getattr(decision, name)
        for name in (
            *("id", "arm", "reason", "mode", "score", "score_kind", "threshold", "dial"),
            *("cost_advantage", "calibrated", "unknown_share", "fallback_from", "continues"),
            *("score_ms", "cost_usd", "saved_usd"),
        )
    }
    return {f"{_NAME}.{name}": value for name, value in held.items()}


def _of_call(answered: Answered) -> dict[str, Any]:
    decision, usage = answered.decision, answered.usage
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": decision.model,
        "gen_ai.usage.input_tokens": None if usage is None else usage.prompt_tokens,
        "gen_ai.usage.output_tokens": None if usage is None else usage.completion_tokens,
        f"{_NAME}.arm": decision.arm,
        f"{_NAME}.stream": answered.streamed,
        f"{_NAME}.first_token_ms": answered.first_token_ms,
    }


def _given(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
