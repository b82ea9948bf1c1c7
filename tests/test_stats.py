"""The server's counts: times of the answers, by arm."""

from __future__ import annotations

from typing import Any

from hybridroute import Answered
from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.server.stats import Stats

DECISION = Decision(
    arm="edge",
    model="small-1",
    place="device",
    reason="score_at_or_above_threshold",
    mode="auto",
    score=0.7,
    score_kind="label",
    threshold=0.5,
    setting_kind="dial",
    calibrated=True,
)


def _answered(total_ms: float, **changes: Any) -> Answered:
    held = {"outcome": "done", "streamed": False, "at": 0.0, **changes}
    request = ChatRequest(messages=({"role": "user", "content": "hello"},))
    return Answered(decision=DECISION, total_ms=total_ms, request=request, **held)


def _arm(*answers: Answered) -> dict[str, Any]:
    stats = Stats()
    for one in answers:
        stats.record(one)
    arm: dict[str, Any] = stats.to_dict()["arms"]["edge"]
    return arm


def test_percentiles_are_times_that_were_measured_and_the_lower_of_two() -> None:
    assert _arm(_answered(2.0), _answered(1.0))["total_ms_p50"] == 1.0
    assert _arm(*(_answered(float(ms)) for ms in range(20, 0, -1)))["total_ms_p95"] == 19.0


def test_without_answers_there_are_no_times() -> None:
    arm = _arm(_answered(3.0, outcome="failed", error="ArmTimeout"))
    assert (arm["answers"], arm["failures"]) == (0, 1)
    assert arm["total_ms_p50"] is arm["total_ms_p95"] is arm["first_token_ms_p50"] is None
