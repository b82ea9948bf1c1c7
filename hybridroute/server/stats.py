"""What the server has answered: running counts, and the last decisions. No text is kept."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Collection
from typing import Any

from hybridroute.answered import Answered
from hybridroute.quantile import quantile

_LAST = 50
_TIMED = 500


def row_of(one: Answered) -> dict[str, Any]:
    """A JSON-ready row on one request; it holds no text of query or answer."""
    decision, usage = one.decision, one.usage
    return {
        "id": decision.id,
        "at": one.at,
        "arm": decision.arm,
        "place": decision.place,
        "model": decision.model,
        "reason": decision.reason,
        "score": decision.score,
        "threshold": decision.threshold,
        "mode": decision.mode,
        "dial": decision.dial,
        "outcome": one.outcome,
        "error": one.error,
        "stream": one.streamed,
        "router_ms": decision.latency_ms,
        "first_token_ms": one.first_token_ms,
        "total_ms": round(one.total_ms, 3),
        "prompt_tokens": None if usage is None else usage.prompt_tokens,
        "answer_tokens": None if usage is None else usage.completion_tokens,
        "cost_usd": decision.cost_usd,
        "saved_usd": decision.saved_usd,
    }


class _ArmCount:
    """One arm's running counts; latencies over the last few hundred answers."""

    def __init__(self, place: str | None) -> None:
        self.place = place
        self.answers = 0
        self.failures = 0
        self.prompt_tokens = 0
        self.answer_tokens = 0
        self.first_token_ms: deque[float] = deque(maxlen=_TIMED)
        self.total_ms: deque[float] = deque(maxlen=_TIMED)

    def add(self, one: Answered) -> None:
        if one.outcome == "failed":
            self.failures += 1
            return
        self.answers += 1
        if one.usage is not None:
            self.prompt_tokens += one.usage.prompt_tokens
            self.answer_tokens += one.usage.completion_tokens
        if one.outcome == "done":
            self.total_ms.append(one.total_ms)
        if one.first_token_ms is not None:
            self.first_token_ms.append(one.first_token_ms)


class _Costs:
    """Sums in USD; answers without a known price are counted, not guessed."""

    def __init__(self) -> None:
        self.spent = 0.0
        self.saved = 0.0
        self.counted = 0
        self.uncounted = 0

    def add(self, one: Answered) -> None:
        if one.decision.cost_usd is None or one.decision.saved_usd is None:
            self.uncounted += 1
            return
        self.counted += 1
        self.spent += one.decision.cost_usd
        self.saved += one.decision.saved_usd

    def to_dict(self) -> dict[str, Any]:
        known = self.counted > 0
        return {
            "spent_usd": self.spent if known else None,
            "saved_usd": self.saved if known else None,
            "uncounted": self.uncounted,
        }


class Stats:
    """Counts since the server started. Safe to use from several threads."""

    def __init__(self) -> None:
        self._since = time.time()
        self._lock = threading.Lock()
        self._arms: dict[str, _ArmCount] = {}
        self._costs = _Costs()
        self._last: deque[dict[str, Any]] = deque(maxlen=_LAST)

    def record(self, one: Answered) -> None:
        """Count one request."""
        row = {**row_of(one), "explanation": one.decision.explain()}
        with self._lock:
            arm, place = one.decision.arm, one.decision.place
            self._arms.setdefault(arm, _ArmCount(place)).add(one)
            self._costs.add(one)
            self._last.append(row)

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object.

        ``cost_advantage`` is the share of answers that came from the device. ``cost.saved_usd`` is
        how much less than at the dearest arm the answers cost, for the same tokens: an estimate.
        Both sums are null where no prices are known, and leave out the ``cost.uncounted`` answers
        whose price is not.
        """
        with self._lock:
            answers = sum(count.answers for count in self._arms.values())
            local = sum(one.answers for one in self._arms.values() if one.place == "device")
            return {
                "since": self._since,
                "answers": answers,
                "cost_advantage": local / answers if answers else None,
                "cost": self._costs.to_dict(),
                "arms": {name: _summary(count) for name, count in sorted(self._arms.items())},
                "last": list(reversed(self._last)),
            }


def _summary(count: _ArmCount) -> dict[str, Any]:
    return {
        "place": count.place,
        "answers": count.answers,
        "failures": count.failures,
        "prompt_tokens": count.prompt_tokens,
        "answer_tokens": count.answer_tokens,
        "first_token_ms_p50": _or_none(count.first_token_ms, 0.5),
        "total_ms_p50": _or_none(count.total_ms, 0.5),
        "total_ms_p95": _or_none(count.total_ms, 0.95),
    }


def _or_none(values: Collection[float], share: float) -> float | None:
    return quantile(values, share) if values else None
