"""The threads behind event loops: bounded, cancellable, and gone when nobody needs them."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar, copy_context
from typing import Any

import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.stop_signal import StopSignal
from hybridroute.loop_threads import LoopThreads

WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


def ours() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith("hybridroute")]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    gc.collect()
    for thread in ours():
        thread.join(10)
        assert not thread.is_alive(), thread.name


def run(use: Callable[[LoopThreads], Awaitable[None]], *, answers: int = 2) -> None:
    """In a loop, closed at the end."""

    async def main() -> None:
        threads = LoopThreads(answers)
        try:
            await asyncio.wait_for(use(threads), 20)
        finally:
            await threads.close(lambda: None)

    asyncio.run(main())


async def happened(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


def name_of_thread() -> str:
    return threading.current_thread().name


@pytest.mark.parametrize("bad", [0, -1, True, 1.5, "2", None])
def test_answers_at_once_are_a_whole_number_of_at_least_1(bad: Any) -> None:
    with pytest.raises(ConfigError, match=r"max_concurrency is .*at least 1"):
        LoopThreads(bad)


def test_nothing_runs_in_one_that_was_never_used() -> None:
    threads = LoopThreads(3)
    assert ours() == []
    asyncio.run(threads.close(lambda: None))


def test_each_kind_of_call_has_threads_of_its_own() -> None:
    async def use(threads: LoopThreads) -> None:
        assert (await threads.decide(name_of_thread)).startswith("hybridroute-decide")
        assert (await threads.answer(lambda stop: name_of_thread())).startswith(
            "hybridroute-answer"
        )
        both = await threads.decide_and_answer(
            name_of_thread, lambda decided, stop: (decided, name_of_thread())
        )
        assert both[0].startswith("hybridroute-decide")
        assert both[1].startswith("hybridroute-answer")

    run(use)


def test_every_call_runs_in_the_callers_context() -> None:
    async def use(threads: LoopThreads) -> None:
        WHO.set("me")
        assert await threads.decide(WHO.get) == "me"
        assert await threads.answer(lambda stop: WHO.get()) == "me"
        said = await threads.decide_and_answer(WHO.get, lambda first, stop: (first, WHO.get()))
        assert said == ("me", "me")
        told, seen = threading.Event(), []
        threads.start(lambda: (seen.append(WHO.get()), told.set()), copy_context())
        await happened(told)
        assert seen == ["me"]

    run(use)


def test_what_a_call_raises_is_raised_where_it_is_awaited() -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    async def use(threads: LoopThreads) -> None:
        asked: list[object] = []
        for call in (
            lambda: threads.decide(broken),
            lambda: threads.answer(broken),
            lambda: threads.decide_and_answer(broken, lambda *given: asked.append(given)),
            lambda: threads.decide_and_answer(lambda: 1, broken),
            lambda: threads.end(broken),
        ):
            with pytest.raises(ZeroDivisionError):
                await call()
        assert asked == []

    run(use)


def test_a_full_house_still_decides() -> None:
    held, begun = threading.Event(), threading.Barrier(3)

    def wait(stop: StopSignal) -> bool:
        begun.wait(10)
        return held.wait(10)

    async def use(threads: LoopThreads) -> None:
        busy = [asyncio.create_task(threads.answer(wait)) for _ in range(2)]
        await asyncio.to_thread(begun.wait, 10)
        assert await threads.decide(lambda: 7) == 7
        held.set()
        assert await asyncio.gather(*busy) == [True, True]

    run(use)


def test_no_more_answers_than_were_allowed_at_once() -> None:
    lock, now, most = threading.Lock(), [0], [0]
    meet = threading.Barrier(2)

    def count(stop: StopSignal) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        meet.wait(10)
        with lock:
            now[0] -= 1

    async def use(threads: LoopThreads) -> None:
        await asyncio.gather(*(threads.answer(count) for _ in range(40)))

    run(use, answers=2)
    assert most == [2]


@pytest.mark.parametrize("at_once", [False, True])
def test_cancelling_the_awaiting_task_sets_the_signal(at_once: bool) -> None:
    begun, ended = threading.Event(), threading.Event()

    def until_stopped(stop: StopSignal) -> None:
        begun.set()
        stop.tell(ended.set)
        assert ended.wait(10)

    async def use(threads: LoopThreads) -> None:
        call = (
            threads.decide_and_answer(lambda: 1, lambda decided, stop: until_stopped(stop))
            if at_once
            else threads.answer(until_stopped)
        )
        task = asyncio.ensure_future(call)
        await happened(begun)
        assert not ended.is_set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await happened(ended)

    run(use)


@pytest.mark.parametrize("at_once", [False, True])
def test_what_is_cancelled_before_its_turn_is_never_called(at_once: bool) -> None:
    held, begun, called = threading.Event(), threading.Event(), []

    def wait(*_: object) -> None:
        begun.set()
        assert held.wait(10)

    async def use(threads: LoopThreads) -> None:
        if at_once:
            task = asyncio.ensure_future(
                threads.decide_and_answer(wait, lambda decided, stop: called.append(1))
            )
            busy = asyncio.ensure_future(asyncio.sleep(0))
        else:
            busy = asyncio.ensure_future(threads.answer(wait))
            await happened(begun)
            task = asyncio.ensure_future(threads.answer(lambda stop: called.append(1)))
        await happened(begun)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        held.set()
        await busy
        await threads.answer(lambda stop: None)

    run(use, answers=1)
    assert called == []


def test_ending_a_call_is_waited_for_even_where_nothing_was_begun() -> None:
    async def use(threads: LoopThreads) -> None:
        done: list[str] = []
        await threads.end(lambda: done.append(name_of_thread()))
        await threads.decide(lambda: None)
        await threads.end(lambda: done.append(name_of_thread()))
        await threads.close(lambda: None)
        await threads.end(lambda: done.append(name_of_thread()))
        assert done == ["hybridroute-ending"] * 3

    run(use)


def test_an_end_that_fails_is_logged_by_kind_and_others_are_still_made(
    caplog: pytest.LogCaptureFixture,
) -> None:
    done = threading.Event()

    def broken() -> None:
        raise ZeroDivisionError("secret")

    async def use(threads: LoopThreads) -> None:
        threads.end_soon(done.set)  # before anything is begun: it waits
        threads.end_soon(broken)
        assert not done.is_set()
        await threads.decide(lambda: None)
        await happened(done)
        await threads.end(lambda: None)

    with caplog.at_level(logging.WARNING):
        run(use)
    assert [record.getMessage() for record in caplog.records] == [
        "a call could not be ended (ZeroDivisionError)"
    ]


def test_an_end_that_fails_when_nobody_waits_any_more_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    begun, held, done = threading.Event(), threading.Event(), threading.Event()

    def broken() -> None:
        begun.set()
        assert held.wait(10)
        raise ZeroDivisionError

    async def use(threads: LoopThreads) -> None:
        await threads.decide(lambda: None)
        task = asyncio.ensure_future(threads.end(broken))
        await happened(begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        held.set()
        threads.end_soon(done.set)
        await happened(done)

    with caplog.at_level(logging.WARNING):
        run(use)
    assert "a call could not be ended (ZeroDivisionError)" in caplog.text


def test_closing_runs_the_last_task_and_waits_for_every_thread() -> None:
    stop_all, begun = threading.Event(), threading.Event()

    async def main() -> None:
        threads = LoopThreads(1)

        def wait(stop: StopSignal) -> str:
            begun.set()
            assert stop_all.wait(10)
            return "ended"

        running = asyncio.ensure_future(threads.answer(wait))
        await happened(begun)
        await threads.close(stop_all.set)
        assert [one.name for one in ours() if one.name != "hybridroute-closing"] == []
        assert await running == "ended"
        again: list[int] = []
        await threads.close(lambda: again.append(1))
        assert again == [], "only the first close has a task to run"

    asyncio.run(main())


def test_what_the_last_task_raises_is_raised_when_every_thread_has_ended() -> None:
    async def main() -> None:
        threads = LoopThreads(1)
        await threads.decide(lambda: None)
        with pytest.raises(ZeroDivisionError):
            await threads.close(lambda: 1 / 0)
        assert [one.name for one in ours() if one.name != "hybridroute-closing"] == []

    asyncio.run(main())


def test_a_closed_one_says_so() -> None:
    async def main() -> None:
        threads = LoopThreads(1)
        await threads.close(lambda: None)
        for call in (
            lambda: threads.decide(lambda: None),
            lambda: threads.answer(lambda stop: None),
            lambda: threads.decide_and_answer(lambda: None, lambda decided, stop: None),
        ):
            with pytest.raises(ConfigError, match="this client was closed; make a new one"):
                await call()
        with pytest.raises(ConfigError, match="this client was closed"):
            threads.start(lambda: None, copy_context())

    asyncio.run(main())


def test_closed_between_the_decision_and_the_answer_it_still_answers() -> None:
    """Decisions end first when it is closed, as one may hand over to an answer."""
    begun, held = threading.Event(), threading.Event()

    async def main() -> None:
        threads = LoopThreads(1)

        def decide() -> int:
            begun.set()
            assert held.wait(10)
            return 7

        task = asyncio.ensure_future(threads.decide_and_answer(decide, lambda one, stop: one + 1))
        await happened(begun)
        closing = asyncio.ensure_future(threads.close(held.set))
        assert await task == 8
        await closing

    asyncio.run(main())


def test_one_dropped_without_being_closed_leaves_no_thread() -> None:
    async def main() -> None:
        threads = LoopThreads(2)
        await threads.answer(lambda stop: None)

    asyncio.run(main())
    gc.collect()
    for thread in ours():
        thread.join(10)
        assert not thread.is_alive()


def test_one_serves_one_loop_after_another() -> None:
    threads = LoopThreads(1)
    assert [asyncio.run(threads.decide(lambda at=at: at)) for at in range(3)] == [0, 1, 2]
    asyncio.run(threads.close(lambda: None))
