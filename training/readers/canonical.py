"""The canonical outcome table: JSON lines, one query a line.

``{"id": str, "prompt": str | messages, "domain": str?, "reference": str?, "arms": {name:
{"quality": [float, ...], "responses": [str, ...]?, "cost_usd": [float, ...]?, "latency_ms":
[float, ...]?}}}``. A single number is read as a list of one; where ``quality`` is
null the row lacks the arm. Unknown keys are kept.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.readers.missing import tell_missing
from hybridroute.training.readers.unique_ids import UniqueIds

_ROW_KEYS = frozenset({"id", "prompt", "domain", "reference", "arms"})
_ARM_KEYS = frozenset({"quality", "responses", "cost_usd", "latency_ms"})


def read_canonical(path: Path) -> OutcomeTable:
    """Read one file of JSON lines.

    Raises
    ------
    DataError
        On the first bad line, or the first whose id an earlier line has with another prompt: names
        file, line and field. Only blank lines at the end are allowed.
    """
    rows, ids, missing = [], UniqueIds(), 0
    for number, line in numbered_lines(path):
        try:
            held = _load(line)
            rows.append(parse_outcome(held))
            missing += len(held["arms"]) - len(rows[-1].arms)
            ids.add(number, rows[-1])
        except DataError as exc:
            raise DataError(f"{path} line {number}: {exc}") from exc
    if not rows:
        raise DataError(f"{path} holds no outcome; give at least one line")
    tell_missing(path, missing)
    return OutcomeTable(rows=tuple(rows), source=path.name)


def write_canonical(table: OutcomeTable, path: Path) -> None:
    """Write ``table`` so that ``read_canonical`` gives the same rows. Atomic.

    Raises
    ------
    DataError
        If the file cannot be written, or a row's unknown keys hold what JSON cannot.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as out:
                out.writelines(outcome_line(row) for row in table.rows)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise DataError(f"{path} cannot be written ({exc.strerror}); choose another place") from exc


def outcome_line(row: Outcome) -> bytes:
    """The line of one row in UTF-8, its line feed included.

    Raises
    ------
    DataError
        If the row's unknown keys hold what JSON cannot.
    """
    held = outcome_to_dict(row)
    try:
        text = json.dumps(held, ensure_ascii=False, allow_nan=False)
    except (ValueError, TypeError) as exc:
        raise DataError(f"row {row.id!r} has no JSON form ({exc}); mend its extra keys") from exc
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:  # a lone surrogate has no UTF-8 form, only an escape
        return f"{json.dumps(held)}\n".encode()


def outcome_to_dict(row: Outcome) -> dict[str, Any]:
    """The JSON object of one row; absent fields are left out, unknown keys come back."""
    held: dict[str, Any] = {"id": row.id, "prompt": plain(row.prompt)}
    for name in ("domain", "reference"):
        if getattr(row, name) is not None:
            held[name] = getattr(row, name)
    held["arms"] = {name: _arm_to_dict(arm) for name, arm in row.arms.items()}
    held |= plain(row.extra)
    return held


def _arm_to_dict(arm: ArmOutcome) -> dict[str, Any]:
    held: dict[str, Any] = {"quality": list(arm.quality)}
    for name in ("responses", "cost_usd", "latency_ms"):
        if getattr(arm, name) is not None:
            held[name] = list(getattr(arm, name))
    held |= plain(arm.extra)
    return held


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines of a UTF-8 file with their numbers from 1, blank lines at the end left out.

    Lines end at line feeds alone: JSON may hold U+2028 and U+0085 unescaped.

    Raises
    ------
    DataError
        If the file cannot be read, or a line is not UTF-8.
    """
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise DataError(f"{path} cannot be read ({exc.strerror}); check the path") from exc
    data = data.removeprefix(b"\xef\xbb\xbf").rstrip()
    for number, line in enumerate(data.split(b"\n") if data else (), start=1):
        try:
            yield number, line.decode()
        except UnicodeDecodeError as exc:
            raise DataError(
                f"{path} line {number}: not UTF-8 ({exc.reason}); re-encode it"
            ) from exc


def _load(line: str) -> Any:
    if not line.strip():
        raise DataError("the line is blank; remove it")
    try:
        return json.loads(line, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as exc:
        raise DataError(f"not a JSON object ({exc}); one object a line is expected") from exc


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"the keys {twice} stand twice in one object; keep one of each")
    return held


def parse_outcome(held: Any) -> Outcome:
    """Check and build one row from parsed JSON.

    Raises
    ------
    DataError
        Names the field.
    """
    if not isinstance(held, dict):
        raise DataError(f"the line is a {type(held).__name__}; an object is expected")
    for name in ("id", "prompt", "arms"):
        if name not in held:
            raise DataError(f"{name} is missing; add it")
    prompt = held["prompt"]
    if isinstance(prompt, list):
        prompt = tuple(prompt)
    elif not isinstance(prompt, str):
        raise DataError(f"prompt is a {type(prompt).__name__}; give text or a list of messages")
    arms = held["arms"]
    if not isinstance(arms, dict):
        raise DataError(f"arms is a {type(arms).__name__}; give an object of arm names")
    return Outcome(
        id=_text(held, "id"),
        prompt=prompt,
        domain=_optional_text(held, "domain"),
        reference=_optional_text(held, "reference"),
        arms={name: _parse_arm(name, arm) for name, arm in arms.items() if not _is_missing(arm)},
        extra={key: value for key, value in held.items() if key not in _ROW_KEYS},
    )


def _is_missing(arm: Any) -> bool:
    return isinstance(arm, dict) and arm.get("quality", arm) is None


def _parse_arm(name: str, held: Any) -> ArmOutcome:
    where = f"arms.{name}"
    if not isinstance(held, dict):
        raise DataError(f"{where} is a {type(held).__name__}; give an object with quality")
    if "quality" not in held:
        raise DataError(f"{where}.quality is missing; add it")
    quality = _numbers(held["quality"], f"{where}.quality")
    cost, latency = (
        None if held.get(key) is None else _numbers(held[key], f"{where}.{key}")
        for key in ("cost_usd", "latency_ms")
    )
    responses = _responses(held.get("responses"), f"{where}.responses")
    try:
        return ArmOutcome(
            quality=quality,
            responses=responses,
            cost_usd=cost,
            latency_ms=latency,
            extra={key: value for key, value in held.items() if key not in _ARM_KEYS},
        )
    except DataError as exc:
        raise DataError(f"{where}.{exc}") from exc


def _numbers(held: Any, where: str) -> tuple[float, ...]:
    if not isinstance(held, list):
        return (_number(held, where),)
    return tuple(_number(value, f"{where}[{i}]") for i, value in enumerate(held))


def _number(held: Any, where: str) -> float:
    if isinstance(held, bool) or not isinstance(held, (int, float)):
        raise DataError(f"{where} is a {type(held).__name__}; give a number")
    try:
        return float(held)
    except OverflowError as exc:
        raise DataError(f"{where} is too large for a number; give a finite one") from exc


def _responses(held: Any, where: str) -> tuple[str, ...] | None:
    if held is None:
        return None
    if not isinstance(held, list):
        raise DataError(f"{where} is a {type(held).__name__}; give a list of texts")
    for i, value in enumerate(held):
        if not isinstance(value, str):
            raise DataError(f"{where}[{i}] is a {type(value).__name__}; give text")
    return tuple(held)


def _text(held: dict[str, Any], name: str) -> str:
    if not isinstance(held[name], str):
        raise DataError(f"{name} is a {type(held[name]).__name__}; give text")
    return str(held[name])


def _optional_text(held: dict[str, Any], name: str) -> str | None:
    return None if held.get(name) is None else _text(held, name)
