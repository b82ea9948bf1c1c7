"""JSON lines, one at a time: nothing but the current line is in memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.errors import DataError

_MARK = b"\xef\xbb\xbf"


def json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The value on each line with its number from 1; blank lines at the end are left out.

    Lines end at line feeds alone: JSON may hold U+2028 and U+0085 unescaped.

    Raises
    ------
    DataError
        If the file cannot be read, or a line is blank, not UTF-8 or not JSON: names file and line.
    """
    blank = 0
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                text = line.removeprefix(_MARK) if number == 1 else line
                if not text.strip():
                    blank = blank or number
                elif blank:
                    raise DataError(f"{path} line {blank}: the line is blank; remove it")
                else:
                    yield number, _value(text, f"{path} line {number}")
    except OSError as exc:
        raise DataError(f"{path} cannot be read ({exc.strerror}); check the path") from exc


def _value(line: bytes, where: str) -> Any:
    try:
        return json.loads(line.decode(), object_pairs_hook=_unique)
    except UnicodeDecodeError as exc:
        raise DataError(f"{where}: not UTF-8 ({exc.reason}); re-encode it") from exc
    except DataError as exc:
        raise DataError(f"{where}: {exc}") from exc
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{where}: not a JSON object ({exc}); one object a line") from exc


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise DataError(f"the keys {twice} stand twice in one object; keep one of each")
    return held
