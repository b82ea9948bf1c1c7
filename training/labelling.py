"""Responses -> outcome table: each response judged by every quality function asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.routed_text import prompt_text
from hybridroute.training.answers import QUALITIES, AnsweredPrompt, ArmAnswers
from hybridroute.training.label_audit import LabelAudit
from hybridroute.training.outcome_writer import OutcomeWriter
from hybridroute.training.outcomes import ArmOutcome, Outcome
from hybridroute.training.quality.protocol import Item, QualityFunction
from hybridroute.training.quality.scoring import score_items

CHUNK = 1024
"""Responses judged together: enough for batches of like length, little to hold."""


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
    """

    functions: tuple[QualityFunction, ...]
    strict: bool = False
    chunk: int = CHUNK

    def __post_init__(self) -> None:
        if not self.functions:
            raise ConfigError("no quality function was named; give at least one")
        if self.chunk < 1:
            raise ConfigError(f"chunk is {self.chunk}; it must be at least 1")


def label_file(
    rows: Iterable[AnsweredPrompt],
    plan: LabelPlan,
    out: Path,
    *,
    on_row: Callable[[Outcome], None] = lambda _: None,
) -> LabelAudit:
    """Judge all responses and write the outcome table; one chunk is in memory at a time.

    ``out`` appears whole or not at all. ``on_row`` is handed each row written.

    Raises
    ------
    DataError
        If there is no row, one is bad or cannot be judged, ``out`` cannot be written, or under
        ``strict`` the rows do not fit together.
    """
    audit = LabelAudit()
    with OutcomeWriter(out) as writer:
        for row in labelled(_audited(rows, audit), plan):
            writer.write(row)
            on_row(row)
        if audit.prompts == len(audit.unanswered):
            raise DataError("there is no response to label; give files that hold responses")
        problems = audit.problems()
        if plan.strict and problems:
            raise DataError(f"{'; '.join(problems)}. Sample what is missing, or leave out --strict")
    return audit


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
    main = functions[0].name
    start = 0
    for row in rows:
        arms = {}
        for name, arm in row.arms.items():
            end = start + len(arm.responses)
            if arm.responses:
                fresh = {key: values[start:end] for key, values in scores.items()}
                arms[name] = _arm_outcome(arm, fresh, main)
            start = end
        yield _outcome(row, arms)


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


def _outcome(row: AnsweredPrompt, arms: dict[str, ArmOutcome]) -> Outcome:
    try:
        return Outcome(
            id=row.id,
            prompt=row.prompt,
            domain=row.domain,
            reference=row.reference,
            arms=arms,
            extra=row.extra,
        )
    except DataError as exc:
        raise DataError(f"{row.where}: {exc}") from exc
