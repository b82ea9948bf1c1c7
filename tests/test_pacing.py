"""Rates and budgets."""

from __future__ import annotations

import threading

import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.pacing import Budget, BudgetUsed, Rate, Stopped


class Waits(threading.Event):
    """Never waits; keeps how long it was asked to."""

    def __init__(self, is_stopped: bool = False) -> None:
        super().__init__()
        self.asked: list[float] = []
        self.is_stopped = is_stopped

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout or 0.0)
        return self.is_stopped


def test_a_rate_spaces_calls_evenly() -> None:
    now = [100.0]
    rate = Rate(30, clock=lambda: now[0])
    waits = Waits()
    for _ in range(3):
        rate.wait(waits)
    assert waits.asked == [0.0, 2.0, 4.0]
    now[0] = 200.0
    rate.wait(waits)
    rate.wait(waits)
    assert waits.asked[3:] == [0.0, 2.0]


def test_no_rate_holds_nothing_back() -> None:
    waits = Waits()
    rate = Rate(None, clock=lambda: 5.0)
    for _ in range(3):
        rate.wait(waits)
    assert waits.asked == [0.0] * 3


def test_a_stop_ends_the_wait() -> None:
    with pytest.raises(Stopped):
        Rate(1).wait(Waits(is_stopped=True))


def test_a_budget_is_never_crossed_even_by_the_worst_case() -> None:
    stop = threading.Event()
    budget = Budget(1.0, spent_usd=0.2)
    first = budget.reserve(0.5, stop)
    budget.settle(first, 0.1)
    second = budget.reserve(0.7, stop)
    budget.settle(second, None)
    assert budget.spent_usd == pytest.approx(1.0)
    with pytest.raises(BudgetUsed):
        budget.reserve(0.01, stop)
    assert budget.reserve(0.0, stop)


def test_a_reservation_waits_for_calls_that_may_turn_out_cheaper() -> None:
    stop = threading.Event()
    budget = Budget(1.0)
    first = budget.reserve(0.9, stop)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(budget.reserve(0.9, stop)))
    waiting.start()
    waiting.join(0.1)
    assert got == []
    budget.settle(first, 0.05)
    waiting.join(5)
    assert len(got) == 1


def test_a_stop_ends_a_reservation() -> None:
    budget = Budget(1.0)
    stop = threading.Event()
    budget.reserve(0.9, stop)
    stop.set()
    with pytest.raises(Stopped):
        budget.reserve(0.9, stop)


@pytest.mark.parametrize("wrong", [-1.0, float("nan")])
def test_a_limit_below_zero(wrong: float) -> None:
    with pytest.raises(ConfigError, match="budget-usd"):
        Budget(wrong)
