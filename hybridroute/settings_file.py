"""hybridroute.toml: its values, and everything that is wrong with them, line by line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

_SECRETS = ("key", "api_key", "token", "secret", "password")
_KINDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
_AT_LINE = re.compile(r"\(at line (\d+), column \d+\)")
_TABLE = re.compile(r"\s*\[\s*([\w.\"'-]+)\s*\]")

Layer = dict[str, dict[str, Any]]
"""Section -> key -> value."""


class WrongValue(ValueError):
    """A value of a wrong type; the message goes on after the value's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One thing that is wrong with a file.

    Parameters
    ----------
    message : str
        What, and the way out. Never holds a value that may be a secret.
    key : str or None
        ``section.key``, or a section.
    line : int or None
        Counted from 1.
    """

    message: str
    key: str | None = None
    line: int | None = None

    def said_of(self, file: str) -> str:
        """The sentence, with the file and, where it is known, the line."""
        return f"{file}{'' if self.line is None else f':{self.line}'}: {self.message}"


def read_file(file: Path, sections: Mapping[str, type]) -> tuple[Layer, list[Wrong]]:
    """The values that can be used, and what is wrong with the others, in the file's order.

    Parameters
    ----------
    file : Path
    sections : mapping of str to type
        The dataclass of each section.
    """
    import tomllib

    layer: Layer = {name: {} for name in sections}
    try:
        text = file.read_text(encoding="utf-8")
        held = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        at = _AT_LINE.search(str(exc))
        return layer, [
            Wrong(message=f"it is not valid TOML: {exc}", line=int(at[1]) if at else None)
        ]
    except (OSError, UnicodeDecodeError) as exc:
        return layer, [Wrong(message=f"it cannot be read: {exc}")]
    wrong = []
    for section, values in held.items():
        if section not in sections or not isinstance(values, dict):
            said = f"{section!r} {_no_section(section, sections)}"
            wrong.append(Wrong(message=said, key=section, line=line_of(text, section)))
            continue
        for key, value in values.items():
            name = f"{section}.{key}"
            try:
                layer[section][key] = checked_value(sections[section], key, value)
            except WrongValue as exc:
                wrong.append(Wrong(message=f"{name} {exc}", key=name, line=line_of(text, name)))
    return layer, wrong


def _no_section(section: str, sections: Mapping[str, type]) -> str:
    keys = {item.name: name for name, kind in sections.items() for item in fields(kind)}
    hint = f"; it belongs below [{keys[section]}]" if section in keys else _near(section, sections)
    return f"is not a section{hint}; use [{'], ['.join(sections)}]"


def _near(name: str, known: Iterable[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f" (is {close[0]!r} meant?)" if close else ""


def checked_value(kind: type, key: str, value: Any) -> Any:
    """``value`` as the section's field takes it: whole numbers where numbers are wanted, too.

    Raises
    ------
    WrongValue
        If the section has no such field, or the value is of another type.
    """
    known = [item.name for item in fields(kind)]
    if key not in known:
        if key in _SECRETS:
            raise WrongValue(
                "looks like a secret; secrets come from environment variables alone. Take it out "
                "of the file, put it in a variable, and name that variable as cloud.api_key_env"
            )
        raise WrongValue(f"is not a setting{_near(key, known)}; there are {', '.join(known)}")
    wanted = type_of(kind, key)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        raise WrongValue(f"is {type(value).__name__} {value!r}; give {_KINDS[wanted]}")
    return value


def type_of(kind: type, key: str) -> type:
    """The plain type of a field: ``float`` for ``float | None``."""
    held = get_type_hints(kind)[key]
    plain: type = get_args(held)[0] if get_origin(held) is UnionType else held
    return plain


def line_of(text: str, name: str) -> int | None:
    """The line where ``section`` or ``section.key`` stands; None if it is not found.

    ``tomllib`` tells no positions; this finds the ways a person writes a table of plain values.
    """
    section, _, key = name.partition(".")
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if found := _TABLE.match(line):
            table = found[1].strip("\"'")
            if table == section and not key:
                return number
            continue
        written = line.partition("=")[0].strip().replace('"', "").replace("'", "")
        if "=" in line and written in ((name,) if table != section else (name, key)):
            return number
        if "=" in line and written == section and table == "":
            return number  # an inline table, or a value where a section should be
    return None
