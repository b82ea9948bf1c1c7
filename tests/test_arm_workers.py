"""Worker threads over an engine that does as it is told."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

import pytest
from sdk_fakes import user

from hybridroute.edge_runtime.arm_workers import ArmWorkers, Event, Job
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import ArmError, ArmUnavailable, ContextOverflow, RequestError
from hybridroute.edge_runtime.protocols import Finish

STOP = Finish(reason="stop", prompt_tokens=1, completion_tokens=1)
CANCELLED = Finish(reason="cancelled", prompt_tokens=1, completion_tokens=1)
Take = Callable[[str], bool]
Play = Callable[[ChatRequest, Take], Finish]


class PlayedEngine:
    """Generates by the function it was given."""

    engine_name = "played"
    context_tokens = 100
    parallel = 1

    def __init__(self, play: Play) -> None:
        self._play = play
        self.closed = 0

    def count_tokens(self, messages: Sequence[Message]) -> int:
        return 1

    def generate(self, request: ChatRequest, on_text: Take) -> Finish:
        return self._play(request, on_text)

    def close(self) -> None:
        self.closed += 1


def echo(request: ChatRequest, take: Take) -> Finish:
    take(str(request.messages[0]["content"]))
    return STOP


@pytest.fixture
def make() -> Iterator[Callable[..., ArmWorkers]]:
    made: list[ArmWorkers] = []

    def workers(play: Play = echo, *, count: int = 1) -> ArmWorkers:
        made.append(ArmWorkers(PlayedEngine(play), count=count, arm="edge"))
        return made[-1]

    yield workers
    for one in made:
        one.close()
    left = [thread for thread in threading.enumerate() if thread.name.startswith("hybridroute")]
    assert left == []


class Asked:
    """Jobs with their common queue."""

    def __init__(self, *texts: str) -> None:
        self.events: SimpleQueue[tuple[int, Event]] = SimpleQueue()
        self.jobs = [
            Job(ChatRequest(messages=tuple(user(text))), index, self.events)
            for index, text in enumerate(texts)
        ]

    def next(self) -> tuple[int, Any]:
        return self.events.get(timeout=10)


def test_a_jobs_text_and_then_its_finish_under_its_index(make: Any) -> None:
    asked = Asked("one", "two")
    assert make().submit(asked.jobs)
    assert [asked.next() for _ in range(4)] == [(0, "one"), (0, STOP), (1, "two"), (1, STOP)]


def test_empty_text_is_no_event(make: Any) -> None:
    asked = Asked("")
    make().submit(asked.jobs)
    assert asked.next() == (0, STOP)


def test_as_many_answers_at_once_as_there_are_threads(make: Any) -> None:
    meet = threading.Barrier(3)

    def together(request: ChatRequest, take: Take) -> Finish:
        meet.wait(10)
        return echo(request, take)

    asked = Asked("a", "b", "c")
    make(together, count=3).submit(asked.jobs)
    found = [asked.next() for _ in range(6)]
    assert {index for index, event in found if event == STOP} == {0, 1, 2}


def test_a_cancelled_job_hears_so_between_tokens_and_its_text_is_dropped(make: Any) -> None:
    began, told = threading.Event(), threading.Event()
    said: list[bool] = []

    def play(request: ChatRequest, take: Take) -> Finish:
        said.append(take("before"))
        began.set()
        assert told.wait(10)
        said.append(take("after"))
        return CANCELLED

    asked = Asked("a")
    make(play).submit(asked.jobs)
    assert began.wait(10)
    asked.jobs[0].cancelled = True
    told.set()
    assert [asked.next(), asked.next()] == [(0, "before"), (0, CANCELLED)]
    assert said == [False, True]


def test_a_job_cancelled_before_its_turn_never_reaches_the_engine(make: Any) -> None:
    asked, seen = Asked("a", "b"), []
    asked.jobs[0].cancelled = True

    def play(request: ChatRequest, take: Take) -> Finish:
        seen.append(request.messages[0]["content"])
        return STOP

    make(play).submit(asked.jobs)
    none = Finish(reason="cancelled", prompt_tokens=0, completion_tokens=0)
    assert [asked.next(), asked.next()] == [(0, none), (1, STOP)]
    assert seen == ["b"]


@pytest.mark.parametrize("kind", [ArmUnavailable, ContextOverflow])
def test_an_arm_error_is_handed_over_with_the_arms_name(make: Any, kind: type[ArmError]) -> None:
    def play(request: ChatRequest, take: Take) -> Finish:
        raise kind("as it was", arm="" if request.messages[0]["content"] == "a" else "its own")

    asked = Asked("a", "b")
    make(play).submit(asked.jobs)
    found = [asked.next()[1] for _ in range(2)]
    assert [(type(one), str(one), one.arm) for one in found] == [
        (kind, "as it was", "edge"),
        (kind, "as it was", "its own"),
    ]


def test_another_error_of_ours_stays_what_it_is(make: Any) -> None:
    def play(request: ChatRequest, take: Take) -> Finish:
        raise RequestError("no")

    asked = Asked("a")
    make(play).submit(asked.jobs)
    assert isinstance(asked.next()[1], RequestError)


@pytest.mark.parametrize("fault", [ZeroDivisionError("secret"), KeyboardInterrupt("secret")])
def test_a_foreign_error_is_the_arms_by_kind_and_the_thread_goes_on(
    make: Any, fault: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def play(request: ChatRequest, take: Take) -> Finish:
        if request.messages[0]["content"] == "bad":
            raise fault
        return STOP

    asked = Asked("bad", "good")
    with caplog.at_level(logging.DEBUG):
        make(play).submit(asked.jobs)
        failed, after = asked.next()[1], asked.next()
    assert type(failed) is ArmError
    assert (failed.arm, failed.__cause__) == ("edge", fault)
    assert type(fault).__name__ in str(failed)
    assert "secret" not in str(failed) + caplog.text
    assert after == (1, STOP)


def test_closing_ends_what_runs_and_what_waits_as_closed(make: Any) -> None:
    """Not as cancelled: nobody who waits asked for that."""
    began = threading.Event()

    def play(request: ChatRequest, take: Take) -> Finish:
        began.set()
        while not take(""):
            pass
        return CANCELLED

    asked = Asked("runs", "waits")
    workers = make(play)
    workers.submit(asked.jobs)
    assert began.wait(10)
    assert workers.close()
    for index in (0, 1):
        at, event = asked.next()
        assert (at, type(event), event.arm) == (index, ArmError, "edge")
        assert "closed while answering" in str(event)
    assert workers.engine.closed == 1


def test_an_answer_that_came_in_full_is_no_casualty_of_closing(make: Any) -> None:
    began, go = threading.Event(), threading.Event()

    def play(request: ChatRequest, take: Take) -> Finish:
        began.set()
        assert go.wait(10)
        return STOP

    asked = Asked("a")
    workers = make(play)
    workers.submit(asked.jobs)
    assert began.wait(10)
    closing = threading.Thread(target=workers.close)
    closing.start()
    go.set()
    assert asked.next() == (0, STOP)
    closing.join(10)


def test_once_closed_nothing_is_queued(make: Any) -> None:
    workers, asked = make(), Asked("a")
    assert workers.close()
    assert not workers.submit(asked.jobs)
    assert asked.events.empty()
    assert workers.close()
    assert workers.engine.closed == 1


def test_idle_workers_close_and_busy_ones_do_not_where_that_is_asked(make: Any) -> None:
    began, go = threading.Event(), threading.Event()

    def play(request: ChatRequest, take: Take) -> Finish:
        began.set()
        assert go.wait(10)
        return STOP

    asked = Asked("a")
    workers = make(play)
    workers.submit(asked.jobs)
    assert began.wait(10)
    assert not workers.close(if_idle=True)
    go.set()
    assert asked.next() == (0, STOP)
    assert workers.close(if_idle=True)
    assert workers.engine.closed == 1


def test_a_worker_may_close_the_workers_it_is_one_of(make: Any) -> None:
    """A finalizer may run in any thread; it must not wait for itself."""
    held: list[ArmWorkers] = []

    def play(request: ChatRequest, take: Take) -> Finish:
        held[0].close()
        return STOP

    asked = Asked("a")
    held.append(make(play))
    held[0].submit(asked.jobs)
    assert asked.next() == (0, STOP)


def test_an_idle_thread_keeps_no_reader_alive(make: Any) -> None:
    """The queue is the reader's end: it goes with the reader, not with the next job."""
    workers, asked, gone = make(), Asked("a"), threading.Event()
    seen = weakref.ref(asked.events, lambda _: gone.set())
    workers.submit(asked.jobs)
    assert [asked.next(), asked.next()] == [(0, "a"), (0, STOP)]
    del asked
    gc.collect()
    assert gone.wait(10)
    assert seen() is None
