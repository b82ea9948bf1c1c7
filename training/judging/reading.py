"""From files to the rows of a comparison: those to train on, and those set apart to be judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.readers.routereval import Candidates, RouterEvalPart, read_routereval

_PICKLES = frozenset({".pkl", ".pickle"})
_JUDGED = "test"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Given:
    """Rows as files give them.

    Parameters
    ----------
    train : ScoreTable
    test : ScoreTable or None
        None where nothing is set apart.
    states : tuple of (ndarray, ndarray) or None
        Embeddings of both, where the file holds them and no prompts to make others from.
    outcomes : OutcomeTable or None
        What ``train`` was made of, where it was an outcome table.
    notes : tuple of str
    """

    train: ScoreTable
    test: ScoreTable | None
    states: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
    outcomes: OutcomeTable | None = None
    notes: tuple[str, ...] = ()


def is_pickle(path: Path) -> bool:
    """Whether a path is taken for one of RouterEval's files."""
    return path.suffix.lower() in _PICKLES


def from_outcomes(
    table: OutcomeTable, test: OutcomeTable | None, arms: Sequence[str] | None
) -> Given:
    """Of outcome tables. Rows that their file marks as test rows are judged, unless some are given.

    Parameters
    ----------
    arms : sequence of str or None
        The columns; every arm of ``table`` by default.

    Raises
    ------
    DataError
        If an arm stands in no row, or too few arms are left to choose among.
    """
    notes: list[str] = []
    if test is None:
        marked = np.array([row.extra.get("part") == _JUDGED for row in table.rows])
        if marked.any() and not marked.all():
            table, test = table.select(~marked), table.select(marked)
            notes.append("the files mark their test rows: those are judged")
    columns = tuple(arms) if arms else table.arm_names
    train = ScoreTable.of(table, columns)
    _check_arms(columns)
    if test is None:
        return Given(train=train, test=None, outcomes=table)
    strange = [name for name in test.arm_names if name not in columns]
    if strange:
        notes.append(f"arms that are judged by no row to train on are left out: {strange}")
    judged = ScoreTable.of(test, tuple(name for name in test.arm_names if name in columns))
    return Given(train=train, test=judged, outcomes=table, notes=tuple(notes))


def from_routereval(path: Path, candidates: Candidates, arms: Sequence[str] | None) -> Given:
    """Of one of RouterEval's pickles: its train and val rows to train on, its test rows to judge.

    Raises
    ------
    DataError
        As the reader does, or if ``arms`` names one that it has not.
    """
    parts = read_routereval(path, candidates)
    held = [_narrowed(part, arms) for part in (parts["train"], parts["val"], parts["test"])]
    train = _both(held[0].table, held[1].table)
    states = None
    embeddings = [part.embeddings for part in held]
    if not held[0].has_prompts:
        first, second, last = embeddings
        if first is None or second is None or last is None:
            raise DataError(f"{path} holds neither prompts nor embeddings; there is nothing to see")
        states = np.concatenate([first, second]), last
    note = f"RouterEval's pool of {candidates.size}, {candidates.group}"
    return Given(train=train, test=held[2].table, states=states, notes=(note,))


def _both(one: ScoreTable, other: ScoreTable) -> ScoreTable:
    return ScoreTable(
        arms=one.arms,
        quality=np.concatenate([one.quality, other.quality]),
        cost_usd=None,
        texts=one.texts + other.texts,
        hashes=one.hashes + other.hashes,
        domains=one.domains + other.domains,
        source=one.source,
    )


def _narrowed(part: RouterEvalPart, arms: Sequence[str] | None) -> RouterEvalPart:
    if not arms:
        return part
    table = part.table
    absent = [name for name in arms if name not in table.arms]
    if absent:
        raise DataError(f"{table.source} has no arm {absent[0]!r}; its arms are {table.arms[:10]}")
    _check_arms(arms)
    at = [table.arms.index(name) for name in arms]
    narrowed = ScoreTable(
        arms=tuple(arms),
        quality=table.quality[:, at],
        cost_usd=None,
        texts=table.texts,
        hashes=table.hashes,
        domains=table.domains,
        source=table.source,
    )
    return RouterEvalPart(table=narrowed, embeddings=part.embeddings, has_prompts=part.has_prompts)


def _check_arms(arms: Sequence[str]) -> None:
    if len(arms) < 2 or len(set(arms)) != len(arms):
        raise ConfigError(f"the arms are {list(arms)}; name two or more different ones")
