"""Workers that draw at the same time, and one reader."""

from __future__ import annotations

import threading

import pytest
from sample_fakes import plan, response

from hybridroute.edge_runtime.errors import ArmUnavailable
from hybridroute.prompt_file import PromptRow
from hybridroute.training.arm_pool import draw_all
from hybridroute.training.pacing import Stopped
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import jobs_of

PLAN = plan(prompts=6, n=3)
JOBS = jobs_of(PLAN, PLAN.arms[0], {})


def of(prompt_id: str, row: PromptRow, sample: int, stop: threading.Event) -> Response:
    return response(id=prompt_id, sample=sample)


def never() -> None:
    raise AssertionError("nothing is abandoned")


def test_every_sample_is_drawn_once_and_taken_in_the_callers_thread() -> None:
    taken: list[tuple[str, int]] = []
    threads = set()

    def take(held: Response) -> None:
        threads.add(threading.current_thread())
        taken.append((held.id, held.sample))

    draw_all(JOBS, of, workers=4, take=take, abandon=never)
    assert sorted(taken) == [(f"p{i}", sample) for i in range(6) for sample in range(3)]
    assert threads == {threading.current_thread()}


def test_workers_draw_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)

    def draw(prompt_id: str, row: PromptRow, sample: int, stop: threading.Event) -> Response:
        both.wait()
        return of(prompt_id, row, sample, stop)

    draw_all(JOBS, draw, workers=2, take=lambda held: None, abandon=never)


def test_a_failure_lets_the_others_finish_what_they_draw() -> None:
    begun, failed = threading.Event(), threading.Event()

    def draw(prompt_id: str, row: PromptRow, sample: int, stop: threading.Event) -> Response:
        if prompt_id == "p0":
            begun.set()
            assert failed.wait(10)
            assert stop.wait(10)
            return of(prompt_id, row, sample, stop)
        assert begun.wait(10)
        failed.set()
        raise ArmUnavailable("away")

    taken: list[Response] = []
    with pytest.raises(ArmUnavailable):
        draw_all(JOBS, draw, workers=2, take=taken.append, abandon=never)
    assert [held.key for held in taken] == [("p0", "edge", 0)]


@pytest.mark.parametrize("kind", [KeyboardInterrupt, OSError])
def test_when_taking_fails_the_running_calls_are_abandoned(kind: type[BaseException]) -> None:
    released = threading.Event()

    def draw(prompt_id: str, row: PromptRow, sample: int, stop: threading.Event) -> Response:
        if prompt_id != "p0":
            assert released.wait(10)
            raise Stopped
        return of(prompt_id, row, sample, stop)

    def take(held: Response) -> None:
        raise kind

    with pytest.raises(kind):
        draw_all(JOBS, draw, workers=3, take=take, abandon=released.set)
    assert released.is_set()
