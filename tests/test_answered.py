"""What became of a request, and those who are told: in order, late, and in spite of each other."""

from __future__ import annotations

import logging
from threading import Barrier, Thread
from typing import Any

import pytest
from sdk_fakes import bundle, cloud_arm, edge_arm, user

from hybridroute import HybridClient
from hybridroute.answered import Answered, Listeners
from hybridroute.edge_runtime.chat import ChatRequest

DECISION = HybridClient(bundle(), edge=edge_arm(), cloud=cloud_arm()).route(user("0.9 x"))
SECRET = "a prompt nobody else may read"


def answered(**changes: Any) -> Answered:
    held = {
        "decision": DECISION,
        "outcome": "done",
        "streamed": False,
        "total_ms": 12.0,
        "at": 1.0,
        "request": ChatRequest(messages=tuple(user(SECRET))),
    }
    return Answered(**{**held, **changes})


@pytest.mark.parametrize(
    ("changes", "wait_ms"),
    [
        ({}, 12.0),
        ({"outcome": "failed"}, None),
        ({"outcome": "cancelled"}, None),
        ({"streamed": True, "first_token_ms": 3.0}, 3.0),
        ({"streamed": True, "first_token_ms": 0.0, "outcome": "cancelled"}, 0.0),
        ({"streamed": True, "first_token_ms": None}, None),
    ],
)
def test_the_wait_is_to_the_first_token_or_a_whole_answers_end(
    changes: dict[str, Any], wait_ms: float | None
) -> None:
    assert answered(**changes).wait_ms == wait_ms


def test_no_repr_holds_the_prompt_or_the_trace() -> None:
    said = repr(answered(trace_context={"secret": SECRET}))
    assert SECRET not in said
    assert "12.0" in said


def test_where_the_caller_stood_is_no_part_of_what_became_of_it() -> None:
    assert answered(trace_context=object()) == answered()
    assert answered(total_ms=13.0) != answered()


def test_all_are_told_in_the_order_they_came() -> None:
    told: list[tuple[str, Answered]] = []
    held, one = Listeners(), answered()
    held.add(lambda said: told.append(("first", said)))
    held.add(lambda said: told.append(("second", said)))
    held.tell(one)
    assert told == [("first", one), ("second", one)]


def test_a_listener_that_fails_is_logged_by_kind_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    told: list[Answered] = []
    held = Listeners()

    def broken(said: Answered) -> None:
        raise ZeroDivisionError(SECRET)

    held.add(broken)
    held.add(told.append)
    with caplog.at_level(logging.DEBUG):
        held.tell(answered())
    assert told == [answered()]
    assert [record.getMessage() for record in caplog.records] == [
        "a listener failed (ZeroDivisionError)"
    ]
    assert SECRET not in caplog.text


def test_a_listener_may_leave() -> None:
    told: list[Answered] = []
    held = Listeners()
    held.add(told.append)
    held.remove(told.append)
    held.remove(told.append)
    held.tell(answered())
    assert told == []


def test_a_listener_may_come_and_go_while_one_is_told() -> None:
    """Those of the moment are told to the end; the change counts from the next one on."""
    told: list[str] = []
    held = Listeners()

    def once(said: Answered) -> None:
        told.append("once")
        held.remove(once)
        held.add(lambda said: told.append("new"))

    held.add(once)
    held.add(lambda said: told.append("old"))
    held.tell(answered())
    assert told == ["once", "old"]
    held.tell(answered())
    assert told == ["once", "old", "old", "new"]


def test_what_a_finalizer_left_is_told_before_the_next_and_made_then() -> None:
    told: list[Answered] = []
    made: list[int] = []
    held = Listeners()
    held.add(told.append)

    def late() -> Answered:
        made.append(1)
        return answered(outcome="cancelled")

    held.tell_later(late)
    held.tell_later(late)
    assert (told, made) == ([], [])
    held.tell(answered())
    assert [one.outcome for one in told] == ["cancelled", "cancelled", "done"]
    held.catch_up()
    assert len(told) == 3


def test_catching_up_needs_no_next_one() -> None:
    told: list[Answered] = []
    held = Listeners()
    held.add(told.append)
    held.catch_up()
    held.tell_later(answered)
    held.catch_up()
    assert told == [answered()]


def test_each_is_told_once_however_many_threads_catch_up() -> None:
    told: list[float] = []
    held = Listeners()
    held.add(lambda said: told.append(said.at))
    for at in range(200):
        held.tell_later(lambda at=at: answered(at=float(at)))  # type: ignore[misc]
    start = Barrier(4)

    def catch_up() -> None:
        start.wait(10)
        held.catch_up()

    threads = [Thread(target=catch_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(told) == [float(at) for at in range(200)]
