"""What is labelled: one prompt with its responses, read one at a time from any kind of file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.magnitude import fault_of
from hybridroute.training.outcomes import ArmOutcome, Outcome, Prompt
from hybridroute.training.quality.given import GIVEN
from hybridroute.training.readers.canonical import parse_outcome
from hybridroute.training.readers.detect import reader_for
from hybridroute.training.readers.json_lines import json_lines
from hybridroute.training.readers.mixinstruct import MixInstructRow, mixinstruct_rows
from hybridroute.training.responses_file import PromptResponses, group_by_prompt
from hybridroute.training.sampled_response import Response

QUALITIES = "qualities"
"""An arm's key in the outcome table: the qualities by name, beside the main one."""

Scores = Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmAnswers:
    """One arm's responses, and the scores the file states for each, None where it states none.

    ``errors`` counts the samples that came without a response.
    """

    responses: tuple[str, ...]
    given: Scores = field(default_factory=dict)
    cost_usd: tuple[float, ...] | None = None
    latency_ms: tuple[float, ...] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    errors: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredPrompt:
    """One prompt and each arm's answers; ``where`` names its file and line."""

    id: str
    prompt: Prompt
    domain: str | None
    reference: str | None
    arms: Mapping[str, ArmAnswers]
    extra: Mapping[str, Any]
    where: str


def answered_prompts(paths: Sequence[Path]) -> Iterator[AnsweredPrompt]:
    """The prompts of files of sampled responses, outcome tables and MixInstruct, mixed at will.

    Files of sampled responses are read together, grouped by prompt through an index of positions;
    JSON lines are read one by one. Only CSV and RouterDC's JSON are read whole.

    Raises
    ------
    DataError
        If a file is of no known kind, a line is bad, or an outcome table holds no responses. Names
        file, line and field.
    """
    if not paths:
        raise DataError("no files were named; give at least one")
    kinds = {path: _kind(path) for path in paths}
    if twice := [str(path) for path in kinds if list(paths).count(path) > 1]:
        raise DataError(f"{', '.join(twice)} is named twice; name each file once")
    sampled = [path for path in paths if kinds[path] == "responses"]
    for group in group_by_prompt(*sampled) if sampled else ():
        yield _of_group(group)
    for path in paths:
        if kinds[path] == "canonical":
            yield from _canonical(path)
        elif kinds[path] == "mixinstruct":
            for number, row in mixinstruct_rows(path):
                yield _of_mixinstruct(row, f"{path} line {number}")
        elif kinds[path] == "table":
            yield from _table(path)


def _kind(path: Path) -> str:
    """responses, canonical, mixinstruct or table, by the first line."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise DataError(
            f"{path} is no regular file, and answers are read more than once; save them to a file"
        )
    try:
        with path.open("rb") as file:
            first = file.readline().removeprefix(b"\xef\xbb\xbf")
    except OSError as exc:
        raise DataError(f"{path} cannot be read ({exc.strerror}); check the path") from exc
    if path.suffix.lower() == ".csv" or first.lstrip().startswith(b"["):
        if reader_for(path) is None:
            raise DataError(f"{path} is of no known kind; give an outcome table or responses")
        return "table"
    try:
        held = json.loads(first)
    except ValueError as exc:
        raise DataError(
            f"{path} line 1: not a JSON object ({exc}); give sampled responses, an outcome table "
            "or MixInstruct as JSON lines"
        ) from exc
    keys = {"arm": "responses", "arms": "canonical", "candidates": "mixinstruct"}
    for key, kind in keys.items():
        if isinstance(held, dict) and key in held:
            return kind
    raise DataError(
        f"{path} line 1: has none of the keys arm (sampled responses), arms (outcome table) and "
        "candidates (MixInstruct); check the file"
    )


def _of_group(group: PromptResponses) -> AnsweredPrompt:
    return AnsweredPrompt(
        id=group.id,
        prompt=group.prompt,
        domain=group.domain,
        reference=group.reference,
        arms={arm: _sampled(held) for arm, held in group.arms.items()},
        extra=group.extra,
        where=group.where,
    )


def _sampled(held: Sequence[Response]) -> ArmAnswers:
    answered = [one for one in held if one.response is not None]
    return ArmAnswers(
        responses=tuple(one.response or "" for one in answered),
        cost_usd=_all_known(one.cost_usd for one in answered),
        latency_ms=_all_known(one.latency_ms for one in answered),
        errors=len(held) - len(answered),
    )


def _all_known(values: Iterable[float | None]) -> tuple[float, ...] | None:
    held = tuple(values)
    known = tuple(value for value in held if value is not None)
    return known if len(known) == len(held) else None


def _canonical(path: Path) -> Iterator[AnsweredPrompt]:
    for number, held in json_lines(path):
        where = f"{path} line {number}"
        try:
            yield _of_outcome(parse_outcome(held), where)
        except DataError as exc:
            raise DataError(f"{where}: {exc}") from exc


def _table(path: Path) -> Iterator[AnsweredPrompt]:
    reader = reader_for(path)
    for row in reader(path).rows if reader else ():
        where = f"{path} row {row.id!r}"
        try:
            yield _of_outcome(row, where)
        except DataError as exc:
            raise DataError(f"{where}: {exc}") from exc


def _of_outcome(row: Outcome, where: str) -> AnsweredPrompt:
    return AnsweredPrompt(
        id=row.id,
        prompt=row.prompt,
        domain=row.domain,
        reference=row.reference,
        arms={name: _of_arm(name, arm) for name, arm in row.arms.items()},
        extra=row.extra,
        where=where,
    )


def _of_arm(name: str, arm: ArmOutcome) -> ArmAnswers:
    if arm.responses is None:
        raise DataError(f"arms.{name}.responses is missing; label needs the responses")
    held = arm.extra.get(QUALITIES, {})
    if not isinstance(held, dict):
        raise DataError(f"arms.{name}.{QUALITIES} is a {type(held).__name__}; give names and lists")
    given: dict[str, tuple[float | None, ...]] = {}
    for key, values in held.items():
        if not isinstance(values, list) or len(values) != len(arm.quality):
            raise DataError(
                f"arms.{name}.{QUALITIES}.{key} must be a list of {len(arm.quality)} numbers, one "
                "for each response"
            )
        for place, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise DataError(
                    f"arms.{name}.{QUALITIES}.{key}[{place}] is a {type(value).__name__}; "
                    "give a number"
                )
            if fault := fault_of(value):
                raise DataError(f"arms.{name}.{QUALITIES}.{key}[{place}] {fault}")
        given[key] = tuple(float(value) for value in values)
    if arm.quality not in given.values():
        given[GIVEN] = arm.quality
    return ArmAnswers(
        responses=arm.responses,
        given=given,
        cost_usd=arm.cost_usd,
        latency_ms=arm.latency_ms,
        extra={key: value for key, value in arm.extra.items() if key != QUALITIES},
    )


def _of_mixinstruct(row: MixInstructRow, where: str) -> AnsweredPrompt:
    arms = {}
    for model, placed in row.by_model().items():
        held = [candidate for _, candidate in placed]
        names = dict.fromkeys(name for candidate in held for name in candidate.scores)
        arms[model] = ArmAnswers(
            responses=tuple(candidate.text for candidate in held),
            given={name: tuple(one.scores.get(name) for one in held) for name in names},
            extra={"decoding_method": [one.decoding_method for one in held]},
        )
    return AnsweredPrompt(
        id=row.id,
        prompt=row.prompt,
        domain=row.domain,
        reference=row.reference,
        arms=arms,
        extra=row.extra
        if row.cmp_results is None
        else {**row.extra, "cmp_results": row.cmp_results},
        where=where,
    )
