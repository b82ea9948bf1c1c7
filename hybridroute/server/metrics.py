"""The same counts for Prometheus, in a registry of the server's own."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from hybridroute.answered import Answered
from hybridroute.turning import Turnable

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ROUTER_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5)
_ANSWER_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """Labels are arms, reasons and outcomes: few, and never text of a caller."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "hybridroute_answers",
            "Chat requests by the arm that was asked last, why, and how it ended.",
            ("arm", "reason", "outcome"),
            registry=self._registry,
        )
        self._refused = Counter(
            "hybridroute_refused",
            "Chat requests that no arm was asked for, by the error's code; the others are answers.",
            ("code",),
            registry=self._registry,
        )
        self._tokens = Counter(
            "hybridroute_tokens",
            "Tokens by arm; kind is prompt or answer.",
            ("arm", "kind"),
            registry=self._registry,
        )
        self._router = self._histogram("router", "Time to decide.", _ROUTER_S, ())
        self._first = self._histogram("first_token", "Streams' first token.", _ANSWER_S, ("arm",))
        self._total = self._histogram("answer", "Whole answers.", _ANSWER_S, ("arm",))
        self.in_flight = self._gauge("in_flight", "Chat requests under way.")
        self._threshold = self._gauge("threshold", "The edge answers if score >= threshold.")
        self._dial = self._gauge("dial", "The dial; NaN while the setting is said otherwise.")
        self._measured = self._gauge(
            "controller_measured", "What the controller measured when it last turned the dial."
        )
        self._target = self._gauge("controller_target", "What it holds, in the same unit.")
        self._changes = self._gauge(
            "controller_changes", "Changes it remembers, by who made them.", ("by",)
        )

    def record(self, one: Answered) -> None:
        """Count one request that an arm was asked for."""
        arm = one.decision.arm
        self._answers.labels(arm, one.decision.reason, one.outcome).inc()
        self._router.observe(one.decision.latency_ms / 1000.0)
        if one.usage is not None:
            self._tokens.labels(arm, "prompt").inc(one.usage.prompt_tokens)
            self._tokens.labels(arm, "answer").inc(one.usage.completion_tokens)
        if one.first_token_ms is not None:
            self._first.labels(arm).observe(one.first_token_ms / 1000.0)
        if one.outcome == "done":
            self._total.labels(arm).observe(one.total_ms / 1000.0)

    def refuse(self, code: str) -> None:
        """Count one request that was refused before an arm was asked."""
        self._refused.labels(code).inc()

    def look_at(self, client: Turnable) -> None:
        """Note where the dial stands and what a controller did; before the text is asked for."""
        threshold, dial = client.threshold, client.setting.dial
        self._threshold.set(math.nan if threshold is None else threshold)
        self._dial.set(math.nan if dial is None else dial)
        history = () if client.controller is None else client.controller.history
        own = [
            (one.measured, one.target)
            for one in history
            if one.measured is not None and one.target is not None
        ]
        measured, target = own[-1] if own else (math.nan, math.nan)
        self._measured.set(measured)
        self._target.set(target)
        self._changes.labels("controller").set(len(own))
        self._changes.labels("application").set(len(history) - len(own))

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)

    def _gauge(self, what: str, help_: str, labels: tuple[str, ...] = ()) -> Gauge:
        return Gauge(f"hybridroute_{what}", help_, labels, registry=self._registry)

    def _histogram(
        self, what: str, help_: str, buckets: tuple[float, ...], labels: tuple[str, ...]
    ) -> Histogram:
        return Histogram(
            f"hybridroute_{what}_seconds",
            help_,
            labels,
            buckets=buckets,
            registry=self._registry,
        )
