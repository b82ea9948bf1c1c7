"""The rows of a pool of arms, split by hash into fit, select, calibrate and test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.outcomes import OutcomeTable, joined
from hybridroute.training.pair_split import PARTS, SplitBy, hash_parts
from hybridroute.training.pool.score_table import ScoreTable


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSplit:
    """The parts, each with the same columns; no prompt stands in two of them.

    Parameters
    ----------
    fit : ScoreTable
        What an estimator is fitted on; without ``select`` these are its rows, too.
    select : ScoreTable
        Chooses a fine-tuned estimator's checkpoint.
    calibrate : ScoreTable
        Sets the pool's tables.
    test : ScoreTable
        Opened once, for the report.
    facts : dict
        Counts and choices, for the manifest.
    """

    fit: ScoreTable
    select: ScoreTable
    calibrate: ScoreTable
    test: ScoreTable
    facts: dict[str, Any]


def split_pool(
    table: OutcomeTable,
    arms: Sequence[str] | None,
    *,
    by: SplitBy,
    seed: int,
    with_selection: bool,
) -> PoolSplit:
    """Take the arms, merge rows of one prompt, split by hash.

    Parameters
    ----------
    arms : sequence of str or None
        The pool; all arms of the table if None.
    with_selection : bool
        Whether the selection rows are kept apart; else they are fitted on.

    Raises
    ------
    ConfigError
        If there are fewer than two arms, or one is named twice.
    DataError
        If an arm is not in the table or in one of the parts, or a part has fewer than two rows.
    """
    chosen = tuple(table.arm_names if arms is None else arms)
    if len(chosen) < 2 or len(set(chosen)) != len(chosen):
        raise ConfigError(f"the arms are {list(chosen)}; a pool needs two or more different ones")
    unique = table.deduplicated()
    kept = [at for at, row in enumerate(unique.table.rows) if row.arms.keys() & set(chosen)]
    rows = unique.table.select(kept)
    if not len(rows):
        raise DataError(f"no row of {table.source} has an arm of {list(chosen)}")
    parts = hash_parts(rows, by, seed)
    if not with_selection:
        parts["fit"] = joined((parts["fit"], parts["select"]))
    held = {name: _matrices(part, chosen, name) for name, part in parts.items()}
    counts = {name: len(part) for name, part in parts.items()}
    return PoolSplit(
        fit=held["fit"],
        select=held["select"],
        calibrate=held["calibrate"],
        test=held["test"],
        facts={
            "by": by,
            "seed": seed,
            "shares": dict(PARTS),
            "rows": counts if with_selection else counts | {"select": 0},
            "domains": {name: _domains(part) for name, part in parts.items()},
            "arms_left_out": sorted(set(table.arm_names) - set(chosen)),
            "rows_without_the_arms": len(unique.table) - len(rows),
            "duplicates": unique.duplicates,
            "conflicting_duplicates": unique.conflicts,
        },
    )


def _matrices(part: OutcomeTable, arms: tuple[str, ...], name: str) -> ScoreTable:
    try:
        return ScoreTable.of(part, arms)
    except DataError as exc:
        raise DataError(f"the {name} rows do not do for this pool: {exc}") from exc


def _domains(part: OutcomeTable) -> list[str]:
    return sorted({domain for domain in part.domains() if domain is not None})
