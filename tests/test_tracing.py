"""Spans: the whole, its routing and the arm's call, in the caller's trace; or nothing at all."""

from __future__ import annotations

import asyncio
import sys

import pytest
from opentelemetry.trace import StatusCode
from sdk_fakes import CLOUD_MODEL, bundle, cloud_arm, edge_arm
from span_catcher import SpanCatcher

from hybridroute import AsyncHybridClient, HybridClient
from hybridroute.edge_runtime.errors import ArmUnavailable
from hybridroute.tracing import trace_context

HARD = [{"role": "user", "content": "0.05 hard"}]


@pytest.fixture
def caught(monkeypatch: pytest.MonkeyPatch) -> SpanCatcher:
    return SpanCatcher(monkeypatch)


def _client(**more: object) -> HybridClient:
    return HybridClient(**{"bundle": bundle(), "edge": edge_arm(), "cloud": cloud_arm(), **more})


def test_an_answer_is_three_spans_in_the_callers_trace(caught: SpanCatcher) -> None:
    with (
        _client(dial=0.5) as client,
        caught.provider.get_tracer("app").start_as_current_span("app"),
    ):
        client.chat.completions.create(messages=HARD)
    spans = caught.spans
    whole, route, call = (
        spans[name] for name in ("hybridroute.chat", "hybridroute.route", f"chat {CLOUD_MODEL}")
    )
    assert whole.parent.span_id == spans["app"].context.span_id
    assert route.parent.span_id == call.parent.span_id == whole.context.span_id
    assert whole.start_time <= route.start_time <= route.end_time <= call.end_time == whole.end_time
    said = caught.said("hybridroute.route")
    assert (said["hybridroute.arm"], said["hybridroute.dial"]) == ("cloud", 0.5)
    assert said["hybridroute.score"] == pytest.approx(0.05)
    assert said["hybridroute.threshold"] == pytest.approx(0.45)
    called = caught.said(f"chat {CLOUD_MODEL}")
    assert called["gen_ai.usage.output_tokens"] > 0
    assert called["hybridroute.arm"] == "cloud"


@pytest.mark.parametrize("stream", [False, True])
def test_it_stays_in_the_callers_trace_over_threads(caught: SpanCatcher, stream: bool) -> None:
    async def ask() -> None:
        async with AsyncHybridClient.over(_client()) as client:
            with caught.provider.get_tracer("app").start_as_current_span("app"):
                answer = await client.chat.completions.create(messages=HARD, stream=stream)
                if stream:
                    async for _ in answer:
                        pass

    asyncio.run(ask())
    spans = caught.spans
    assert spans["hybridroute.chat"].parent.span_id == spans["app"].context.span_id
    assert caught.said(f"chat {CLOUD_MODEL}")["hybridroute.stream"] is stream


def test_a_failure_is_marked_without_its_message(caught: SpanCatcher) -> None:
    broken = ArmUnavailable("planted-secret", arm="cloud")
    given = _client(cloud=cloud_arm(fails=broken), fallback=False)
    with given as client, pytest.raises(ArmUnavailable):
        client.chat.completions.create(messages=HARD)
    span = caught.spans[f"chat {CLOUD_MODEL}"]
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "ArmUnavailable"
    assert "planted-secret" not in caught.text()


def test_a_fallback_says_who_failed(caught: SpanCatcher) -> None:
    with _client(cloud=cloud_arm(fails=ArmUnavailable("gone", arm="cloud"))) as client:
        client.chat.completions.create(messages=HARD)
    assert caught.said("hybridroute.chat")["hybridroute.fallback_from"] == "cloud"


def test_a_decision_alone_is_one_span(caught: SpanCatcher) -> None:
    with _client() as client:
        client.route(HARD)
    assert list(caught.spans) == ["hybridroute.route"]


def test_nothing_happens_where_nothing_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "opentelemetry"]:
        monkeypatch.delitem(sys.modules, name)
    with _client() as client:
        client.chat.completions.create(messages=HARD)
    assert trace_context() is None
    assert "opentelemetry.trace" not in sys.modules
