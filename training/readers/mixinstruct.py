"""MixInstruct's JSON lines (arXiv 2306.02561): one prompt and many models' answers with scores.

``{"id", "instruction", "input", "output", "candidates": [{"decoding_method", "model", "text",
"scores": {"bartscore": ..., ...}}], "cmp_results": a JSON string or "null"}``. Any score may be
missing. Written to the published schema: no original records were at hand to try it on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.magnitude import fault_of
from hybridroute.training.metric_name import METRIC, Metric
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.readers.json_lines import json_lines
from hybridroute.training.readers.missing import tell_missing
from hybridroute.training.readers.unique_ids import UniqueIds

_KEYS = frozenset({"id", "instruction", "input", "output", "candidates", "cmp_results"})
_DEFAULT = "bartscore"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model's answer.

    ``scores`` holds what the file states, numbers that can be computed with; ``unscored`` names
    those it has as null.
    """

    model: str
    text: str
    decoding_method: str | None
    scores: Mapping[str, float]
    unscored: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class MixInstructRow:
    """One line. ``prompt`` is the instruction, a line feed, and the input where there is one.

    ``domain`` is what stands before a slash in the id: the source's name. ``cmp_results`` is None
    where the file has none.
    """

    id: str
    prompt: str
    domain: str | None
    reference: str | None
    candidates: tuple[Candidate, ...]
    cmp_results: Mapping[str, Any] | None
    extra: Mapping[str, Any]

    def by_model(self) -> dict[str, list[tuple[int, Candidate]]]:
        """Each model's candidates with their places in the line."""
        held: dict[str, list[tuple[int, Candidate]]] = {}
        for place, candidate in enumerate(self.candidates):
            held.setdefault(candidate.model, []).append((place, candidate))
        return held


def read_mixinstruct(path: Path, *, quality: str = _DEFAULT) -> OutcomeTable:
    """Read one file; an arm is a model, its quality the score called ``quality``.

    An answer whose score is null is left out; a row lacks the model that has no other.

    Raises
    ------
    DataError
        On the first bad line, the first without that score, or the first whose id an earlier line
        has with another prompt: names file, line and field.
    """
    rows, ids, missing = [], UniqueIds(), 0
    for number, row in mixinstruct_rows(path):
        try:
            rows.append(_outcome(row, quality))
            ids.add(number, rows[-1])
            missing += sum(quality in one.unscored for one in row.candidates)
        except DataError as exc:
            raise DataError(f"{path} line {number}: {exc}") from exc
    if not rows:
        raise DataError(f"{path} holds no line; give at least one")
    tell_missing(path, missing)
    return OutcomeTable(rows=tuple(rows), source=path.name)


def mixinstruct_rows(path: Path) -> Iterator[tuple[int, MixInstructRow]]:
    """The lines of one file with their numbers, one at a time.

    Raises
    ------
    DataError
        On the first bad line: names file, line and field.
    """
    for number, held in json_lines(path):
        try:
            yield number, _row(held)
        except DataError as exc:
            raise DataError(f"{path} line {number}: {exc}") from exc


def _outcome(row: MixInstructRow, quality: str) -> Outcome:
    arms = {}
    for model, answers in row.by_model().items():
        held = [item for item in answers if quality not in item[1].unscored]
        if not held:
            continue
        arms[model] = ArmOutcome(
            quality=tuple(_score(place, candidate, quality) for place, candidate in held),
            responses=tuple(candidate.text for _, candidate in held),
        )
    metric = Metric(name=quality, source="the file's own scores")
    extra = {**row.extra, METRIC: metric.to_dict()}
    if row.cmp_results is not None:
        extra["cmp_results"] = row.cmp_results
    return Outcome(
        id=row.id,
        prompt=row.prompt,
        domain=row.domain,
        reference=row.reference,
        arms=arms,
        extra=extra,
    )


def _score(place: int, candidate: Candidate, quality: str) -> float:
    if quality not in candidate.scores:
        raise DataError(
            f"candidates[{place}].scores.{quality} is missing (there are "
            f"{sorted(candidate.scores)}); leave the line out, or choose another score"
        )
    return candidate.scores[quality]


def _row(held: Any) -> MixInstructRow:
    if not isinstance(held, dict):
        raise DataError(f"the line is a {type(held).__name__}; an object is expected")
    where = _text(held, "id")
    instruction, given = _text(held, "instruction"), _text(held, "input", needed=False)
    prompt = "\n".join(part for part in (instruction, given) if part.strip())
    if not prompt:
        raise DataError("instruction is empty, and so is input; give the user's text")
    candidates = held.get("candidates")
    if not isinstance(candidates, list) or not candidates:
        raise DataError("candidates is missing or empty; give a list of answers")
    return MixInstructRow(
        id=where,
        prompt=prompt,
        domain=where.rpartition("/")[0] or None,
        reference=_text(held, "output", needed=False) or None,
        candidates=tuple(_candidate(place, one) for place, one in enumerate(candidates)),
        cmp_results=_comparisons(held.get("cmp_results")),
        extra={key: value for key, value in held.items() if key not in _KEYS},
    )


def _candidate(place: int, held: Any) -> Candidate:
    where = f"candidates[{place}]"
    if not isinstance(held, dict):
        raise DataError(f"{where} is a {type(held).__name__}; an object is expected")
    scores = held.get("scores") or {}
    if not isinstance(scores, dict):
        raise DataError(f"{where}.scores is a {type(scores).__name__}; give names and numbers")
    try:
        return Candidate(
            model=_text(held, "model"),
            text=_text(held, "text"),
            decoding_method=_text(held, "decoding_method", needed=False) or None,
            scores={
                str(name): _number(value, f"scores.{name}")
                for name, value in scores.items()
                if value is not None
            },
            unscored=frozenset(str(name) for name, value in scores.items() if value is None),
        )
    except DataError as exc:
        raise DataError(f"{where}.{exc}") from exc


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DataError(f"{name} is a {type(value).__name__}; give a number")
    if fault := fault_of(value):
        raise DataError(f"{name} {fault}")
    return float(value)


def _text(held: dict[str, Any], name: str, *, needed: bool = True) -> str:
    value = held.get(name)
    if value is None and not needed:
        return ""
    if not isinstance(value, str):
        what = "missing" if name not in held else f"a {type(value).__name__}"
        raise DataError(f"{name} is {what}; give text")
    return value


def _comparisons(held: Any) -> Mapping[str, Any] | None:
    """The comparisons of two models each; the file holds JSON inside a string."""
    try:
        value = json.loads(held) if isinstance(held, str) else held
    except ValueError as exc:
        raise DataError(f'cmp_results is not valid JSON ({exc}); give an object or "null"') from exc
    if value is not None and not isinstance(value, dict):
        raise DataError(f"cmp_results is a {type(value).__name__}; give an object or null")
    return value
