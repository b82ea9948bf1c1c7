"""Prompt files: text lines, JSON lines, and MixInstruct's JSON lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import DataError, RequestError
from hybridroute.routed_text import prompt_text

_KNOWN = frozenset({"id", "prompt", "messages", "domain", "reference"})
_MIX_INSTRUCT = frozenset(
    {"id", "instruction", "input", "output", "domain", "candidates", "cmp_results"}
)
_BOMS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRow:
    """One prompt of a file.

    Parameters
    ----------
    where : str
        File and line, for messages.
    id : str or None
        As the file states it.
    prompt : str or tuple of messages
        Plain text is one user turn.
    domain, reference : str or None
    extra : mapping
        Unknown keys, kept as read.
    """

    where: str
    id: str | None = None
    prompt: str | tuple[Message, ...]
    domain: str | None = None
    reference: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The prompt as messages."""
        if isinstance(self.prompt, str):
            return ({"role": "user", "content": self.prompt},)
        return self.prompt


def read_prompt_rows(path: Path) -> list[PromptRow]:
    """Read a prompt file: a prompt a line, or a JSON object a line. Blank lines are passed over.

    It is JSON lines if the name ends in ``.jsonl`` or the first line opens an object. An object
    holds ``"prompt"`` (text or messages) or ``"messages"``, and perhaps ``"id"``, ``"domain"`` and
    ``"reference"``; or it is MixInstruct's, with ``"instruction"``, ``"input"`` and ``"output"``:
    the prompt is instruction and input with a line feed between them, the output the reference,
    and the other models' candidates are left out.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, or a line is malformed; the line is named.
    """
    lines = _decoded(path).split("\n")
    held = [(at, line.strip()) for at, line in enumerate(lines, start=1) if line.strip()]
    if not held:
        raise DataError(f"{path} holds no prompt; give one a line, some hundreds to mean it")
    if path.suffix == ".jsonl" or held[0][1].startswith("{"):
        return [_from_json(f"{path}, line {at}", line) for at, line in held]
    return [PromptRow(where=f"{path}, line {at}", prompt=line) for at, line in held]


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise DataError(f"{path} cannot be read ({exc.strerror}); check the path") from exc
    for mark, name in _BOMS:
        if data.startswith(mark):
            raise DataError(f"{path}, line 1: this is {name} and not UTF-8; re-encode it")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise DataError(
            f"{path}, line {line}: cannot be read as UTF-8 text ({exc.reason}: "
            f"0x{data[exc.start]:02x}); re-encode it"
        ) from exc


def _from_json(where: str, line: str) -> PromptRow:
    try:
        held = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{where} is not JSON: {exc}") from exc
    if not isinstance(held, dict):
        raise DataError(f"{where} is a {type(held).__name__}; give an object")
    known = _KNOWN
    prompt: str | tuple[Message, ...]
    if "instruction" in held and not {"prompt", "messages"} & held.keys():
        known = _MIX_INSTRUCT
        prompt, reference = _mix_instruct(where, held)
    else:
        prompt, reference = _prompt(where, held), _text(where, held, "reference")
    if not prompt_text(prompt):
        raise DataError(f"{where}: the prompt holds no user text")
    return PromptRow(
        where=where,
        id=_id(where, held.get("id")),
        prompt=prompt,
        domain=_text(where, held, "domain"),
        reference=reference,
        extra={key: value for key, value in held.items() if key not in known},
    )


def _mix_instruct(where: str, held: Mapping[str, Any]) -> tuple[str, str | None]:
    parts = (_text(where, held, "instruction"), _text(where, held, "input"))
    return "\n".join(part for part in parts if part), _text(where, held, "output")


def _prompt(where: str, held: Mapping[str, Any]) -> str | tuple[Message, ...]:
    prompt = held.get("prompt", held.get("messages"))
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, list):
        raise DataError(f'{where} has neither "prompt" (text) nor "messages" (a list)')
    try:
        return ChatRequest(messages=tuple(prompt)).messages
    except RequestError as exc:
        raise DataError(f"{where}: {exc}") from exc


def _text(where: str, held: Mapping[str, Any], name: str) -> str | None:
    value = held.get(name)
    if value is not None and not isinstance(value, str):
        raise DataError(f"{where}: {name} is a {type(value).__name__}; give text")
    return value


def _id(where: str, value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int)) or value == "":
        raise DataError(f"{where}: id is {value!r}; give text or a whole number")
    return str(value)
