"""Several workers that draw from one arm at the same time, and one reader of what they draw."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from queue import SimpleQueue

from hybridroute.prompt_file import PromptRow
from hybridroute.training.pacing import Stopped
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import PromptJob

Draw = Callable[[str, PromptRow, int, threading.Event], Response]
Events = SimpleQueue[Response | BaseException | None]


def draw_all(
    jobs: Iterable[PromptJob],
    draw: Draw,
    *,
    workers: int,
    take: Callable[[Response], None],
    abandon: Callable[[], None],
) -> None:
    """Draw every sample of every job; ``take`` gets each response in this thread as it comes.

    A worker draws the samples of one prompt in a row, so that an engine can keep the prompt's
    state. When one worker fails, the others finish what they are drawing, which is taken too; then
    the failure is raised. When ``take`` raises, or Ctrl-C comes, ``abandon`` is called to make the
    running calls end at once.
    """
    events: Events = SimpleQueue()
    stop = threading.Event()
    shared = _Shared(jobs)
    threads = [
        threading.Thread(target=_work, args=(shared, draw, events, stop), daemon=True)
        for _ in range(workers)
    ]
    for thread in threads:
        thread.start()
    failure: BaseException | None = None
    running = workers
    try:
        while running:
            event = events.get()
            if event is None:
                running -= 1
            elif isinstance(event, Response):
                take(event)
            else:
                stop.set()
                failure = failure or event
    except BaseException:
        stop.set()
        abandon()
        raise
    finally:
        for thread in threads:
            thread.join()
    if failure is not None:
        raise failure


class _Shared:
    """Hands the jobs out to several threads."""

    def __init__(self, jobs: Iterable[PromptJob]) -> None:
        self._lock = threading.Lock()
        self._jobs: Iterator[PromptJob] = iter(jobs)

    def next(self) -> PromptJob | None:
        with self._lock:
            return next(self._jobs, None)


def _work(shared: _Shared, draw: Draw, events: Events, stop: threading.Event) -> None:
    try:
        while not stop.is_set() and (job := shared.next()) is not None:
            for sample in job.samples:
                if stop.is_set():
                    break
                events.put(draw(job.id, job.row, sample, stop))
    except Stopped:
        pass
    except BaseException as exc:
        events.put(exc)
    finally:
        events.put(None)
