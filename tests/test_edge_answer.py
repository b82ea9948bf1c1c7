"""Events of the edge's jobs as a whole answer or as chunks; the events are put by hand."""

from __future__ import annotations

import gc
import threading
import weakref
from queue import SimpleQueue

import pytest
from sdk_fakes import user

from hybridroute.edge_runtime.arm_workers import Event, Job
from hybridroute.edge_runtime.chat import ChatRequest, CompletionChunk, Usage
from hybridroute.edge_runtime.edge_answer import EdgeStream, Events, cancel, whole_answer
from hybridroute.edge_runtime.errors import ArmError, ArmUnavailable
from hybridroute.edge_runtime.protocols import Finish

REQUEST = ChatRequest(messages=tuple(user("hi")))
STOP = Finish(reason="stop", prompt_tokens=7, completion_tokens=2)
LENGTH = Finish(reason="length", prompt_tokens=7, completion_tokens=5)


def jobs_of(count: int = 1) -> tuple[list[Job], Events]:
    events: Events = SimpleQueue()
    return [Job(REQUEST, index, events) for index in range(count)], events


def filled(*put: tuple[int, Event], count: int = 1) -> tuple[list[Job], Events]:
    jobs, events = jobs_of(count)
    for index, event in put:
        jobs[index].put(event)
    return jobs, events


def stream(*put: tuple[int, Event], count: int = 1) -> tuple[EdgeStream, list[Job]]:
    jobs, events = filled(*put, count=count)
    return EdgeStream(jobs, events, model="m", owner=None), jobs


def said(chunks: list[CompletionChunk]) -> list[tuple[int, str | None, str | None, str | None]]:
    return [
        (choice.index, choice.delta.role, choice.delta.content, choice.finish_reason)
        for one in chunks
        for choice in one.choices
    ]


def test_a_whole_answer_is_its_pieces_in_order() -> None:
    jobs, events = filled((0, "Hel"), (0, "lo"), (0, STOP))
    found = whole_answer(jobs, events, model="m")
    (choice,) = found.choices
    assert (choice.index, choice.message.content, choice.finish_reason) == (0, "Hello", "stop")
    assert found.usage == Usage(prompt_tokens=7, completion_tokens=2, total_tokens=9)
    assert (found.model, found.id.startswith("chatcmpl-")) == ("m", True)


def test_several_answers_are_kept_apart_and_their_prompt_counted_once() -> None:
    jobs, events = filled((1, "b"), (0, "a"), (1, LENGTH), (0, "A"), (0, STOP), count=2)
    found = whole_answer(jobs, events, model="m")
    assert [(one.index, one.message.content, one.finish_reason) for one in found.choices] == [
        (0, "aA", "stop"),
        (1, "b", "length"),
    ]
    assert found.usage == Usage(prompt_tokens=7, completion_tokens=7, total_tokens=14)


def test_an_answer_of_nothing_is_empty_text() -> None:
    jobs, events = filled((0, STOP))
    assert whole_answer(jobs, events, model="m").choices[0].message.content == ""


def test_two_answers_have_ids_of_their_own() -> None:
    ids = {whole_answer(*filled((0, STOP)), model="m").id for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("event", "kind"), [(ArmError("it broke", arm="edge"), ArmError), (None, ArmUnavailable)]
)
def test_what_ends_one_job_cancels_the_others(event: Event, kind: type[ArmError]) -> None:
    jobs, events = filled((0, "a"), (1, event), count=3)
    with pytest.raises(kind):
        whole_answer(jobs, events, model="m")
    assert [job.cancelled for job in jobs] == [True] * 3


def test_an_interrupt_cancels_what_still_runs() -> None:
    class Interrupted:
        def get(self) -> tuple[int, Event]:
            raise KeyboardInterrupt

    jobs, _ = jobs_of(2)
    with pytest.raises(KeyboardInterrupt):
        whole_answer(jobs, Interrupted(), model="m")  # type: ignore[arg-type]
    assert all(job.cancelled for job in jobs)


def test_chunks_carry_role_first_the_reason_last_and_the_usage_at_the_very_end() -> None:
    held, _ = stream((0, "Hel"), (0, "lo"), (0, STOP))
    chunks = list(held)
    assert said(chunks) == [
        (0, "assistant", "Hel", None),
        (0, None, "lo", None),
        (0, None, None, "stop"),
    ]
    usage = Usage(prompt_tokens=7, completion_tokens=2, total_tokens=9)
    assert [one.usage for one in chunks] == [None, None, usage]
    assert len({(one.id, one.created, one.model) for one in chunks}) == 1


def test_chunks_of_several_answers_are_told_apart() -> None:
    held, _ = stream((1, "b"), (0, "a"), (1, LENGTH), (0, STOP), count=2)
    chunks = list(held)
    assert said(chunks) == [
        (1, "assistant", "b", None),
        (0, "assistant", "a", None),
        (1, None, None, "length"),
        (0, None, None, "stop"),
    ]
    assert [one.usage is None for one in chunks] == [True, True, True, False]


def test_an_answer_of_nothing_is_one_chunk_with_role_and_reason() -> None:
    held, _ = stream((0, STOP))
    assert said(list(held)) == [(0, "assistant", None, "stop")]


def test_the_end_is_for_good() -> None:
    held, _ = stream((0, STOP), (0, "late"))
    list(held)
    with pytest.raises(StopIteration):
        next(held)


def test_an_error_is_raised_once_and_cancels_the_rest() -> None:
    held, jobs = stream((0, "a"), (1, ArmError("it broke", arm="edge")), count=2)
    next(held)
    with pytest.raises(ArmError, match="it broke"):
        next(held)
    assert [job.cancelled for job in jobs] == [True, True]
    with pytest.raises(StopIteration):
        next(held)


def test_a_closed_stream_hands_over_nothing_more() -> None:
    held, jobs = stream((0, "a"), (0, "b"))
    next(held)
    held.close()
    held.close()
    assert jobs[0].cancelled
    assert list(held) == []


def test_closing_from_another_thread_wakes_a_reader() -> None:
    held, _ = stream((0, "a"))
    reading, ended = threading.Event(), []
    next(held)

    def read() -> None:
        reading.set()
        ended.append(list(held))

    thread = threading.Thread(target=read)
    thread.start()
    assert reading.wait(10)
    held.close()
    thread.join(10)
    assert ended == [[]]


def test_a_dropped_stream_cancels_and_holds_its_owner_till_then() -> None:
    class Owner:
        pass

    owner = Owner()
    jobs, events = filled((0, "a"))
    held = EdgeStream(jobs, events, model="m", owner=owner)
    seen = weakref.ref(owner)
    del owner
    gc.collect()
    assert seen() is not None
    assert not jobs[0].cancelled
    del held
    gc.collect()
    assert jobs[0].cancelled
    assert seen() is None


def test_cancelling_wakes_the_reader_before_a_job_can_end_as_cancelled() -> None:
    jobs, events = jobs_of(2)
    cancel(jobs, events)
    assert [job.cancelled for job in jobs] == [True, True]
    assert events.get(timeout=1) == (0, None)
    cancel(jobs)
    assert events.empty()
