"""What the edge arm hands back: events of its jobs as a whole answer or as chunks."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Sequence
from queue import SimpleQueue

from hybridroute.edge_runtime.arm_workers import Event, Job
from hybridroute.edge_runtime.chat import (
    AnswerMessage,
    Choice,
    ChunkChoice,
    Completion,
    CompletionChunk,
    Delta,
    Usage,
)
from hybridroute.edge_runtime.errors import ArmUnavailable
from hybridroute.edge_runtime.protocols import Finish

Events = SimpleQueue[tuple[int, Event]]


def whole_answer(jobs: Sequence[Job], events: Events, *, model: str) -> Completion:
    """Wait for every job and put the answers together. Raises what a job raised.

    Leaving early, by an error or an interrupt, cancels what still runs.
    """
    texts: list[list[str]] = [[] for _ in jobs]
    finishes: dict[int, Finish] = {}
    try:
        while len(finishes) < len(jobs):
            index, event = events.get()
            if isinstance(event, str):
                texts[index].append(event)
            elif isinstance(event, Finish):
                finishes[index] = event
            elif event is None:
                raise ArmUnavailable("the request was cancelled while it was answered")
            else:
                raise event
    finally:
        cancel(jobs)
    return Completion(
        id=_new_id(),
        created=int(time.time()),
        model=model,
        choices=tuple(
            Choice(
                index=index,
                message=AnswerMessage(content="".join(texts[index])),
                finish_reason=finishes[index].reason,
            )
            for index in range(len(jobs))
        ),
        usage=_usage(finishes.values()),
    )


class EdgeStream:
    """Chunks of the edge arm's answer; a ChunkStream. Dropping it cancels the generation.

    The first chunk of each choice carries the role, the last its finish reason; the very last
    chunk carries the usage.

    Parameters
    ----------
    owner : object
        Kept alive for as long as the stream is: the arm that answers.
    """

    def __init__(self, jobs: Sequence[Job], events: Events, *, model: str, owner: object) -> None:
        self._jobs = tuple(jobs)
        self._events = events
        self._model = model
        self._owner = owner
        self._id = _new_id()
        self._created = int(time.time())
        self._begun: set[int] = set()
        self._finishes: list[Finish] = []
        self._done = False

    def __iter__(self) -> EdgeStream:
        return self

    def __next__(self) -> CompletionChunk:
        if self._done:
            raise StopIteration
        index, event = self._events.get()
        if self._done or event is None:
            raise StopIteration
        if isinstance(event, str):
            return self._chunk(index, event, None)
        if isinstance(event, Finish):
            self._finishes.append(event)
            self._done = len(self._finishes) == len(self._jobs)
            return self._chunk(index, None, event.reason)
        self.close()
        raise event

    def _chunk(self, index: int, text: str | None, reason: str | None) -> CompletionChunk:
        role = None if index in self._begun else "assistant"
        self._begun.add(index)
        delta = Delta(role=role, content=text)
        return CompletionChunk(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=(ChunkChoice(index=index, delta=delta, finish_reason=reason),),
            usage=_usage(self._finishes) if self._done else None,
        )

    def close(self) -> None:
        """Cancel; further chunks never come. Safe to call twice and from another thread."""
        self._done = True
        cancel(self._jobs, self._events)

    def __del__(self) -> None:
        cancel(self._jobs)


def cancel(jobs: Sequence[Job], events: Events | None = None) -> None:
    """Have the worker end each job before its next token, and wake who reads the events."""
    if events is not None:
        events.put((0, None))  # first, so that the reader sees no job end as cancelled
    for job in jobs:
        job.cancelled = True


def _usage(finishes: Iterable[Finish]) -> Usage:
    held = tuple(finishes)
    prompt = max(finish.prompt_tokens for finish in held)
    completion = sum(finish.completion_tokens for finish in held)
    return Usage(
        prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion
    )


def _new_id() -> str:
    return f"chatcmpl-{uuid.uuid4().hex}"
