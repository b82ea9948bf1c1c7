"""One response at a time from one arm, and what goes wrong on the way."""

from __future__ import annotations

import threading

import pytest
from sample_fakes import ENDPOINT, SeedArm, row

from hybridroute.arm_spec import parse_arm
from hybridroute.edge_runtime.chat import ChatRequest, Usage
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    ContextOverflow,
    NoAnswer,
    RequestError,
)
from hybridroute.training.arm_sampler import ArmSampler
from hybridroute.training.pacing import Budget, BudgetUsed, Rate, Stopped
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import DrawSettings

PRICED = f"{ENDPOINT},price-in=1000,price-out=2000"
DRAW = DrawSettings(n=2, max_tokens=7, temperature=0.5, seed=3)


class Failing:
    """Raises the failures in turn, then no more."""

    def __init__(self, *failures: Exception) -> None:
        self.left = list(failures)

    def __call__(self, request: ChatRequest) -> None:
        if self.left:
            raise self.left.pop(0)


def sampler(arm: SeedArm, spec: str = "edge=small", limit: float | None = None) -> ArmSampler:
    return ArmSampler(
        spec=parse_arm(spec),
        arm=arm,
        settings=DRAW,
        rate=Rate(None),
        budget=Budget(limit),
        waits_s=(0.0, 0.0),
    )


def draw(held: ArmSampler, sample: int = 1, stop: threading.Event | None = None) -> Response:
    return held.draw("p0", row(0), sample, stop or threading.Event())


def test_a_response_says_all_there_is_to_know() -> None:
    arm = SeedArm()
    held = sampler(arm, "edge=small,stop=END,price-in=100,price-out=200")
    got = draw(held)
    (request,) = arm.requests
    seed = DRAW.seed_of("p0", "edge", 1)
    assert (request.seed, request.max_tokens, request.temperature) == (seed, 7, 0.5)
    assert (request.top_p, request.stop, request.n) == (0.95, ("END",), 1)
    assert got.response == f"question 0 {seed}"
    assert (got.id, got.arm, got.sample, got.seed, got.model) == ("p0", "edge", 1, seed, "small-1")
    assert (got.domain, got.reference, got.extra) == ("chat", "answer 0", {"check": 0})
    assert (got.temperature, got.max_tokens) == (0.5, 7)
    assert got.settings == DRAW.digest(held.spec)
    assert (got.prompt_tokens, got.completion_tokens) == (10, 5)
    assert got.cost_usd == pytest.approx((10 * 100 + 5 * 200) / 1e6)
    assert (got.latency_ms or 0) >= 0


@pytest.mark.parametrize(
    "failure",
    [
        ContextOverflow("the prompt has 9 tokens"),
        RequestError("messages[0] is bad"),
        ArmRefused("answered 400: content filter", status=400),
        NoAnswer("answered 200 and its answer has no choices"),
    ],
)
def test_a_prompt_the_arm_cannot_answer_is_an_error_row(failure: Exception) -> None:
    got = draw(sampler(SeedArm(on_call=Failing(failure))))
    assert (got.response, got.error, got.finish_reason) == (None, str(failure), "error")
    assert got.cost_usd is None


def test_a_wrong_key_ends_the_run() -> None:
    held = sampler(SeedArm(on_call=Failing(ArmRefused("no", status=401))), ENDPOINT)
    with pytest.raises(ArmRefused):
        draw(held)


def test_an_arm_that_refuses_everything_ends_the_run() -> None:
    refusals = [ArmRefused("answered 400: unknown field", status=400) for _ in range(9)]
    held = sampler(SeedArm(on_call=Failing(*refusals)), ENDPOINT)
    for _ in range(4):
        assert draw(held).error
    with pytest.raises(ArmRefused):
        draw(held)


def test_refusals_after_an_answer_are_about_their_prompts() -> None:
    arm = SeedArm()
    held = sampler(arm, ENDPOINT)
    draw(held)
    arm.on_call = Failing(*[ArmRefused("no", status=422) for _ in range(9)])
    assert all(draw(held).error for _ in range(9))


def test_an_endpoint_that_is_away_is_asked_again_and_then_given_up() -> None:
    arm = SeedArm(on_call=Failing(ArmUnavailable("busy", status=429), ArmTimeout("slow")))
    assert draw(sampler(arm, ENDPOINT)).response
    assert len(arm.requests) == 3
    gone = SeedArm(on_call=Failing(*[ArmUnavailable("away") for _ in range(9)]))
    with pytest.raises(ArmUnavailable):
        draw(sampler(gone, ENDPOINT))
    assert len(gone.requests) == 3


def test_an_engine_that_fails_is_not_asked_again() -> None:
    for failure in (ArmError("broken"), ArmUnavailable("the engine did not answer")):
        arm = SeedArm(on_call=Failing(failure))
        with pytest.raises(type(failure)):
            draw(sampler(arm))
        assert len(arm.requests) == 1


def test_a_stop_ends_the_tries() -> None:
    stop = threading.Event()

    def away(request: ChatRequest) -> None:
        stop.set()
        raise ArmUnavailable("away")

    arm = SeedArm(on_call=away)
    with pytest.raises(Stopped):
        draw(sampler(arm, ENDPOINT), stop=stop)
    assert len(arm.requests) == 1


def test_a_call_that_might_cross_the_budget_is_not_made() -> None:
    arm = SeedArm()
    # "question 0" has 10 bytes; 16 tokens for the message and 16 for the template's own words.
    most = ((10 + 16 + 16) * 1000 + 7 * 2000) / 1e6
    with pytest.raises(BudgetUsed):
        draw(sampler(arm, PRICED, limit=most * 0.999))
    assert arm.requests == []
    held = sampler(arm, PRICED, limit=most * 1.001)
    assert draw(held).cost_usd == pytest.approx((10 * 1000 + 5 * 2000) / 1e6)
    assert held.budget.spent_usd == pytest.approx(0.02)


def test_what_may_have_been_billed_counts_as_spent() -> None:
    arm = SeedArm(on_call=Failing(ArmTimeout("slow"), ArmUnavailable("busy", status=429)))
    held = sampler(arm, PRICED, limit=1.0)
    draw(held)
    most = ((10 + 16 + 16) * 1000 + 7 * 2000) / 1e6
    assert held.budget.spent_usd == pytest.approx(most + 0.02)


def test_without_usage_the_worst_case_counts() -> None:
    held = sampler(SeedArm(usage=None), PRICED, limit=1.0)
    got = draw(held)
    assert got.cost_usd == pytest.approx(held.budget.spent_usd)
    assert held.budget.spent_usd > 0.05
    assert draw(sampler(SeedArm(usage=None), ENDPOINT)).cost_usd is None


def test_usage_without_price_costs_an_unknown_amount() -> None:
    used = Usage(prompt_tokens=1, completion_tokens=1, total_tokens=2)
    assert draw(sampler(SeedArm(usage=used), ENDPOINT)).cost_usd is None
