"""The responses file: JSON lines, one response a line, written as each one is finished.

``{"id", "prompt": str | messages, "domain"?, "reference"?, "extra"?, "arm", "model", "sample",
"seed", "temperature"?, "max_tokens"?, "settings"?, "response": str | null, "finish_reason",
"usage"?: {"prompt_tokens", "completion_tokens"}, "cost_usd"?, "latency_ms"?, "error"?}``. Lines
stand in the order the responses came. A line with ``error`` holds no response: the arm cannot
answer that prompt. Every line says all there is to know, so any part of a file is of use.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import Prompt
from hybridroute.training.sampled_response import Response, parse_response

__all__ = ["PromptResponses", "Response", "group_by_prompt", "read_responses"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptResponses:
    """All responses to one prompt, per arm in the order of their sample numbers.

    ``where`` names the file and line of the first one.
    """

    id: str
    prompt: Prompt
    domain: str | None
    reference: str | None
    extra: Mapping[str, Any]
    arms: Mapping[str, tuple[Response, ...]]
    where: str = ""


def read_responses(path: Path) -> Iterator[Response]:
    """The responses of one file, one by one; a last line that was cut off is left out.

    Raises
    ------
    DataError
        On the first bad line: names file, line and field.
    """
    for _, number, line in _located(path):
        yield _parsed(path, number, line)


def group_by_prompt(*paths: Path) -> Iterator[PromptResponses]:
    """All responses to each prompt, in the order the prompts first came; reads the files twice.

    Only ids and positions are held: one prompt's responses at a time are in memory. A line with an
    error gives way to a later line of the same prompt, arm and sample.

    Raises
    ------
    DataError
        If a line is bad, one (prompt, arm, sample) has two responses, or the lines of one id
        differ in their prompt or reference. Names file, line and id.
    """
    places: dict[str, list[tuple[int, int, int]]] = {}
    for which, path in enumerate(paths):
        for offset, number, line in _located(path):
            held = _parsed(path, number, line)
            places.setdefault(held.id, []).append((which, offset, number))
    opened = [_open(path) for path in paths]
    try:
        for held_at in places.values():
            yield _grouped(_read_at(paths, opened, held_at))
    finally:
        for file in opened:
            file.close()


Located = tuple[str, Response]
"""A response, and where it stands."""


def _read_at(
    paths: tuple[Path, ...], opened: list[BinaryIO], held_at: list[tuple[int, int, int]]
) -> Iterator[Located]:
    for which, offset, number in held_at:
        opened[which].seek(offset)
        line = opened[which].readline()
        yield f"{paths[which]} line {number}", _parsed(paths[which], number, line)


def _grouped(located: Iterable[Located]) -> PromptResponses:
    kept: dict[tuple[str, str, int], Located] = {}
    first: Located | None = None
    for where, held in located:
        first = first or (where, held)
        if (held.prompt, held.reference) != (first[1].prompt, first[1].reference):
            raise DataError(
                f"{where}: id {held.id!r} has another prompt or reference than at {first[0]}; "
                "give each prompt an id of its own"
            )
        before = kept.get(held.key)
        if before is not None and before[1].error is None and held.error is None:
            raise DataError(
                f"{where}: sample {held.sample} of arm {held.arm!r} for {held.id!r} stands at "
                f"{before[0]} already; keep one of them"
            )
        if before is None or before[1].error is not None:
            kept[held.key] = where, held
    assert first is not None  # noqa: S101 (every id has a place)
    arms: dict[str, list[Response]] = {}
    for _, held in kept.values():
        arms.setdefault(held.arm, []).append(held)
    one = first[1]
    return PromptResponses(
        id=one.id,
        prompt=one.prompt,
        domain=one.domain,
        reference=one.reference,
        extra=one.extra,
        arms={
            arm: tuple(sorted(held, key=lambda response: response.sample))
            for arm, held in arms.items()
        },
        where=first[0],
    )


def _located(path: Path) -> Iterator[tuple[int, int, bytes]]:
    """Offset, number from 1 and bytes of each line, without a cut-off last one."""
    with _open(path) as file:
        offset = 0
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n") and not _is_whole(line):
                log.warning("%s line %d is cut off and is left out", path, number)
                return
            yield offset, number, line
            offset += len(line)


def _is_whole(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as exc:
        raise DataError(f"{path} cannot be read ({exc.strerror}); check the path") from exc


def _parsed(path: Path, number: int, line: bytes) -> Response:
    try:
        return parse_response(json.loads(line))
    except UnicodeDecodeError as exc:
        raise DataError(f"{path} line {number}: not UTF-8 ({exc.reason}); re-encode it") from exc
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{path} line {number}: not a JSON object ({exc}); repair it") from exc
    except DataError as exc:
        raise DataError(f"{path} line {number}: {exc}") from exc
