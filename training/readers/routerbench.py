"""RouterBench's CSV: per arm a quality, ``ARM|model_response`` and ``ARM|total_cost`` in USD.

The prompt and the responses are Python list literals inside cells. An empty cell is a missing
outcome, or a cost that is not known.
"""

from __future__ import annotations

from pathlib import Path

from hybridroute.edge_runtime.chat import Message
from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable, Prompt
from hybridroute.training.readers.missing import is_missing_cell, tell_missing
from hybridroute.training.readers.tables import csv_rows, literal, quality_of_cell

_RESPONSE, _COST = "|model_response", "|total_cost"
_ORACLE = "oracle_model_to_route_to"


def read_routerbench(path: Path) -> OutcomeTable:
    """Read one file; the domain is ``eval_name``. A row lacks the arms whose quality is empty.

    Raises
    ------
    DataError
        Names file, line and column.
    """
    rows, missing = [], 0
    for line, cells in csv_rows(path):
        rows.append(_outcome(f"{path} line {line}", cells))
        missing += sum(column.endswith(_RESPONSE) for column in cells) - len(rows[-1].arms)
    if not rows:
        raise DataError(f"{path} holds no rows; give at least one")
    tell_missing(path, missing)
    return OutcomeTable(rows=tuple(rows), source=path.name)


def _outcome(where: str, cells: dict[str, str]) -> Outcome:
    names = [column.removesuffix(_RESPONSE) for column in cells if column.endswith(_RESPONSE)]
    column = "prompt"
    try:
        prompt = _prompt(cells["prompt"])
        arms = {}
        for name in names:
            column = name
            if not is_missing_cell(cells[name]):
                arms[name] = _arm(name, cells)
    except DataError as exc:
        raise DataError(f"{where}: column {column!r} {exc}") from exc
    except KeyError as exc:
        raise DataError(f"{where}: column {exc.args[0]!r} is missing; add it") from exc
    used = {name + end for name in names for end in ("", _RESPONSE, _COST)}
    used |= {"", "sample_id", "prompt", "eval_name", _ORACLE}
    try:
        return Outcome(
            id=cells["sample_id"],
            prompt=prompt,
            domain=cells["eval_name"],
            arms=arms,
            extra={name: cell for name, cell in cells.items() if name not in used},
        )
    except DataError as exc:
        raise DataError(f"{where}: {exc}") from exc


def _prompt(cell: str) -> Prompt:
    turns = _texts(cell)
    if len(turns) == 1:
        return turns[0]
    messages: list[Message] = [{"role": "user", "content": turn} for turn in turns]
    return tuple(messages)


def _texts(cell: str) -> list[str]:
    if not cell.lstrip().startswith("["):
        return [cell]
    held = literal(cell)
    if not isinstance(held, list) or not all(isinstance(item, str) for item in held) or not held:
        raise DataError("is not a list of texts; repair it")
    return held


def _arm(name: str, cells: dict[str, str]) -> ArmOutcome:
    cost = cells.get(name + _COST, "")
    return ArmOutcome(
        quality=(quality_of_cell(cells[name]),),
        responses=(_response(cells[name + _RESPONSE]),),
        cost_usd=None if is_missing_cell(cost) else (quality_of_cell(cost),),
    )


def _response(cell: str) -> str:
    try:
        return "\n\n".join(_texts(cell))
    except DataError:  # an answer that merely starts with a bracket
        return cell
