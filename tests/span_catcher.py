"""Catches the spans that a test makes, without a provider for the whole process."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter


class SpanCatcher:
    """What was traced since it was made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        monkeypatch.setattr(trace, "get_tracer", self.provider.get_tracer)

    @property
    def spans(self) -> dict[str, ReadableSpan]:
        """The last span of each name."""
        return {span.name: span for span in self._exporter.get_finished_spans()}

    def said(self, name: str) -> dict[str, Any]:
        """A span's attributes."""
        return dict(self.spans[name].attributes or {})

    def text(self) -> str:
        """All there is to read in them."""
        return " ".join(span.to_json() for span in self._exporter.get_finished_spans())
