"""RouterDC's JSON: a list of ``{"question": str, "scores": {arm: number}}``, one file a benchmark.

Two kinds of score stand in these files. GSM8K and HumanEval hold the pass rate of ten samples:
read as ten 0/1 responses. MMLU, CMMLU and ARC hold P(gold) where the answer was right, else 0:
read as one response, right where it is above 0. A file holds pass rates if all its scores are
multiples of 0.1. A score that is null or NaN is a missing outcome.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.readers.missing import is_missing_number, tell_missing
from hybridroute.training.readers.tables import literal

SAMPLES = 10
_PART = re.compile(r"[-_](train|test|val|valid|validation|dev)$")


def read_routerdc(path: Path) -> OutcomeTable:
    """Read one file; the domain is its name without ending and part (``gsm8k-test`` -> ``gsm8k``).

    Raises
    ------
    DataError
        Names file, record and field.
    """
    held = _load(path)
    records, missing = [], 0
    for number, item in enumerate(held, 1):
        question, given, extra = _record(f"{path} record {number}", item)
        stated = {name: score for name, score in given.items() if score is not None}
        missing += len(given) - len(stated)
        records.append((question, stated, extra))
    all_scores = (score for _, scores, _ in records for score in scores.values())
    pass_rates = all(_is_tenth(score) for score in all_scores)
    part = _PART.search(path.stem)
    domain = _PART.sub("", path.stem)
    kept = {"part": part.group(1)} if part else {}
    rows = []
    for number, (question, scores, extra) in enumerate(records, 1):
        arms = {name: _arm(score, pass_rates=pass_rates) for name, score in scores.items()}
        row_id = f"{path.stem}:{number}"
        try:
            row = Outcome(id=row_id, prompt=question, domain=domain, arms=arms, extra=extra | kept)
        except DataError as exc:
            raise DataError(f"{path} record {number}: {exc}") from exc
        rows.append(row)
    tell_missing(path, missing)
    return OutcomeTable(rows=tuple(rows), source=path.name)


def _load(path: Path) -> list[Any]:
    try:
        held = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as exc:
        raise DataError(f"{path} cannot be read ({exc.strerror}); check the path") from exc
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{path} is not JSON ({exc}); fetch it again") from exc
    if not isinstance(held, list) or not held:
        raise DataError(f"{path} holds no list of records; give RouterDC's JSON")
    return held


def _is_tenth(score: float) -> bool:
    return abs(score * SAMPLES - round(score * SAMPLES)) < 1e-9


def _arm(score: float, *, pass_rates: bool) -> ArmOutcome:
    if pass_rates:
        passed = round(score * SAMPLES)
        return ArmOutcome(quality=(1.0,) * passed + (0.0,) * (SAMPLES - passed))
    return ArmOutcome(quality=(float(score > 0.0),), extra={"p_gold": score})


def _record(where: str, held: Any) -> tuple[str, dict[str, float | None], dict[str, Any]]:
    """Question, scores (None where missing) and what else there is."""
    if not isinstance(held, dict) or not {"question", "scores"} <= held.keys():
        raise DataError(f"{where}: needs the fields question and scores; repair it")
    if not isinstance(held["question"], str):
        raise DataError(f"{where}: question is a {type(held['question']).__name__}; give text")
    scores = held["scores"]
    if isinstance(scores, str):
        try:
            scores = literal(scores)
        except DataError as exc:
            raise DataError(f"{where}: scores {exc}") from exc
    if not isinstance(scores, dict):
        raise DataError(f"{where}: scores is a {type(scores).__name__}; give arm names and numbers")
    for name, score in scores.items():
        if is_missing_number(score):
            continue
        if isinstance(score, bool) or not isinstance(score, (int, float)):
            kind = type(score).__name__
            raise DataError(f"{where}: scores.{name} is a {kind}; give a number")
        if not 0.0 <= score <= 1.0:
            raise DataError(f"{where}: scores.{name} is {score}; it must be from 0 to 1")
    extra = {key: value for key, value in held.items() if key not in ("question", "scores")}
    known = {
        str(name): None if is_missing_number(score) else float(score)
        for name, score in scores.items()
    }
    return held["question"], known, extra
