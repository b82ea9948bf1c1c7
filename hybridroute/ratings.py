"""Logged decisions with what users said of the answers: read from a decision log, or its export."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.errors import ConfigError, DataError

_SELECT = """
SELECT decisions.id, at, bundle, decisions.arm, model, reason, score, propensity, quality
FROM decisions LEFT JOIN labels ON labels.id = decisions.id AND labels.arm = decisions.arm
WHERE completion_tokens IS NOT NULL ORDER BY at, decisions.id
"""
_SQLITE = b"SQLite format 3\x00"
_TEXTS = ("id", "bundle", "arm", "model", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rating:
    """One answered request: who answered, how that was decided, and how good it was.

    Parameters
    ----------
    id : str
        The Decision's.
    at : float
        When it ended, in seconds since the epoch.
    bundle : str
        The router whose score this is; see :func:`bundle_name`.
    arm, model : str
        Who answered.
    reason : str
    score : float or None
    propensity : float or None
        The chance with which this arm was to answer; None where something else than the score
        decided.
    quality : float or None
        In [0, 1]; None where nobody said.

    Raises
    ------
    DataError
        If a number is out of range.
    """

    id: str
    at: float
    bundle: str
    arm: str
    model: str
    reason: str
    score: float | None = None
    propensity: float | None = None
    quality: float | None = None

    def __post_init__(self) -> None:
        for name in ("score", "propensity", "quality"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value <= 1.0:
                raise DataError(f"{name} of {self.id!r} is {value}; it must be from 0 to 1")
        if self.propensity == 0.0:
            raise DataError(f"propensity of {self.id!r} is 0, and yet {self.arm} answered")

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object."""
        return {item.name: getattr(self, item.name) for item in fields(self)}


def checked_quality(good: object) -> float:
    """What a caller said of an answer, as a quality: True and False are 1 and 0.

    Raises
    ------
    ConfigError
        If it is neither a truth value nor a number from 0 to 1.
    """
    if isinstance(good, (bool, int, float)) and 0 <= good <= 1:
        return float(good)
    raise ConfigError(
        f"good is {good!r}; give true or false, or a number from 0 to 1", param="good"
    )


def read_ratings(path: str | os.PathLike[str]) -> list[Rating]:
    """The answered requests of a decision log, or of the JSON lines exported from one, by time.

    Raises
    ------
    DataError
        If the file is neither, or a line of it is wrong.
    """
    file = Path(path)
    try:
        with file.open("rb") as opened:
            head = opened.read(len(_SQLITE))
            # On from here, not from the start: what comes through a pipe comes once.
            text = None if head == _SQLITE else (head + opened.read()).decode("utf-8")
        found = list(_of_log(file) if text is None else _of_lines(file, text))
    except (OSError, UnicodeDecodeError) as exc:
        raise DataError(f"{file} cannot be read: {exc}") from exc
    if not found:
        raise DataError(f"{file} holds no answered request")
    return sorted(found, key=lambda one: (one.at, one.id))


def _of_log(file: Path) -> Iterator[Rating]:
    held = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    try:
        for row in held.execute(_SELECT):
            named = zip((item.name for item in fields(Rating)), row, strict=True)
            yield Rating(**{name: _value(name, value) for name, value in named})
    except DataError as exc:
        raise DataError(f"{file}: {exc}") from exc
    except sqlite3.Error as exc:
        raise DataError(f"{file} cannot be read as a decision log: {exc}") from exc
    finally:
        held.close()


def _of_lines(file: Path, text: str) -> Iterator[Rating]:
    known = {item.name for item in fields(Rating)}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            if not isinstance(said, dict) or set(said) != known:
                raise DataError(f"give the fields {', '.join(sorted(known))}, no more and no less")
            yield Rating(**{name: _value(name, said[name]) for name in known})
        except (ValueError, RecursionError, DataError) as exc:
            raise DataError(f"{file}, line {number}: {exc}") from exc


def _value(name: str, held: Any) -> Any:
    if name in _TEXTS:
        if not isinstance(held, str):
            raise DataError(f"{name} is {held!r}; give text")
        return held
    if held is None and name != "at":
        return None
    is_number = isinstance(held, (int, float)) and not isinstance(held, bool)
    # A whole number of hundreds of digits is no float, so it is compared first.
    if not is_number or not abs(held) <= sys.float_info.max:
        raise DataError(f"{name} is {repr(held)[:80]}; give a number")
    return float(held)
