"""Responses -> outcome table: each response judged by every quality function asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.routed_text import prompt_text
from hybridroute.training.answers import QUALITIES, AnsweredPrompt, ArmAnswers
from hybridroute.training.label_audit import LabelAudit
from hybridroute.training.label_journal import LabelJournal, digest_of
from hybridroute.training.metric_name import METRIC, Metric
from hybridroute.training.outcome_writer import OutcomeWriter
from hybridroute.training.outcomes import ArmOutcome, Outcome
from hybridroute.training.quality.protocol import Item, QualityFunction
from hybridroute.training.quality.scoring import score_items

CHUNK = 256
"""Responses judged together: enough for batches of like length, and little that a kill loses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPlan:
    """What is labelled how.

    Parameters
    ----------
    functions : tuple of QualityFunction
        The first is the main one.
    strict : bool
        Whether missing arms and unequal numbers of samples are errors.
    chunk : int
        Responses judged together.
    settings : mapping
        What the functions were made with, ready for JSON; a run goes on only from rows labelled
        with the same functions and settings.
    """

    functions: tuple[QualityFunction, ...]
    strict: bool = False
    chunk: int = CHUNK
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.functions:
            raise ConfigError("no quality function was named; give at least one")
        if self.chunk < 1:
            raise ConfigError(f"chunk is {self.chunk}; it must be at least 1")

    def arguments(self) -> dict[str, Any]:
        """What every label depends on, ready for JSON."""
        called = [f"{function.name} ({function.source})" for function in self.functions]
        return {"quality": called, **self.settings}


def label_file(
    rows: Iterable[AnsweredPrompt],
    plan: LabelPlan,
    out: Path,
    *,
    on_judged: Callable[[], None] = lambda: None,
    on_row: Callable[[Outcome], None] = lambda _: None,
) -> LabelAudit:
    """Judge all responses and write the outcome table; one chunk is in memory at a time.

    ``out`` appears whole or not at all. Rows that are judged stand in its journal at once: after
    a kill, a full disk or any other error, the same call goes on from there and loses at most the
    chunk in flight. ``on_judged`` is called for each row as it is done or found in the journal,
    ``on_row`` with each row written, in order, at the end.

    Raises
    ------
    DataError
        If there is no row, one is bad or cannot be judged, a file cannot be written, or under
        ``strict`` the rows do not fit together.
    ConfigError
        If the journal was begun with other functions or settings.
    """
    audit = LabelAudit()
    order: list[str] = []
    waiting: deque[str] = deque()
    with LabelJournal(out, plan.arguments()) as journal:

        def left() -> Iterator[AnsweredPrompt]:
            for row in _audited(rows, audit):
                digest = digest_of(row)
                order.append(digest)
                if digest in journal:
                    audit.taken_up += 1
                    on_judged()
                else:
                    waiting.append(digest)
                    yield row

        for row in labelled(left(), plan):
            journal.add(waiting.popleft(), row)
            on_judged()
        _check_whole(audit, strict=plan.strict)
        with OutcomeWriter(out) as writer:
            for row in journal.rows(order):
                writer.write(row)
                on_row(row)
        journal.remove()
    return audit


def _check_whole(audit: LabelAudit, *, strict: bool) -> None:
    if audit.prompts == len(audit.unanswered):
        raise DataError("there is no response to label; give files that hold responses")
    problems = audit.problems()
    if strict and problems:
        raise DataError(f"{'; '.join(problems)}. Sample what is missing, or leave out --strict")


def _audited(rows: Iterable[AnsweredPrompt], audit: LabelAudit) -> Iterator[AnsweredPrompt]:
    for row in rows:
        if audit.is_new(row):
            audit.count(row)
            if any(held.responses for held in row.arms.values()):
                yield row


def labelled(rows: Iterable[AnsweredPrompt], plan: LabelPlan) -> Iterator[Outcome]:
    """The outcomes of rows, in order; each has a response.

    Raises
    ------
    DataError
        If a response cannot be judged: names file, line, id, arm and sample.
    """
    held: list[AnsweredPrompt] = []
    responses = 0
    for row in rows:
        held.append(row)
        responses += sum(len(arm.responses) for arm in row.arms.values())
        if responses >= plan.chunk:
            yield from _judged(held, plan.functions)
            held, responses = [], 0
    if held:
        yield from _judged(held, plan.functions)


def _judged(
    rows: Sequence[AnsweredPrompt], functions: Sequence[QualityFunction]
) -> Iterator[Outcome]:
    items, places = [], []
    for row in rows:
        query = prompt_text(row.prompt)
        for name, arm in row.arms.items():
            for sample, response in enumerate(arm.responses):
                given = {key: values[sample] for key, values in arm.given.items()}
                items.append(
                    Item(query=query, response=response, reference=row.reference, given=given)
                )
                places.append(f"{row.where} (id {row.id!r}, arm {name!r}, sample {sample})")
    scores = {function.name: score_items(function, items, places) for function in functions}
    main = Metric(name=functions[0].name, source=functions[0].source)
    start = 0
    for row in rows:
        arms = {}
        for name, arm in row.arms.items():
            end = start + len(arm.responses)
            if arm.responses:
                fresh = {key: values[start:end] for key, values in scores.items()}
                arms[name] = _arm_outcome(arm, fresh, main.name)
            start = end
        yield _outcome(row, arms, main)


def _arm_outcome(arm: ArmAnswers, fresh: dict[str, NDArray[np.float64]], main: str) -> ArmOutcome:
    kept = {
        key: list(values) for key, values in arm.given.items() if all(v is not None for v in values)
    }
    qualities = {key: values.tolist() for key, values in fresh.items()} | {
        key: values for key, values in kept.items() if key not in fresh
    }
    return ArmOutcome(
        quality=tuple(qualities[main]),
        responses=arm.responses,
        cost_usd=arm.cost_usd,
        latency_ms=arm.latency_ms,
        extra={**arm.extra, QUALITIES: qualities},
    )


def _outcome(row: AnsweredPrompt, arms: dict[str, ArmOutcome], main: Metric) -> Outcome:
    try:
        return Outcome(
            id=row.id,
            prompt=row.prompt,
            domain=row.domain,
            reference=row.reference,
            arms=arms,
            extra={**row.extra, METRIC: main.to_dict()},
        )
    except DataError as exc:
        raise DataError(f"{row.where}: {exc}") from exc
