"""The rows of a comparison: one a prompt, with the costs that are stated or given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.pool.expected_cost import ExpectedCost
from hybridroute.training.pool.score_table import ScoreTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """All rows, and which of them are there to be judged.

    Parameters
    ----------
    table : ScoreTable
        One row a prompt within the rows to train on, and within those to judge.
    test : ndarray of int or None
        Rows that the caller set apart; None where folds are to be cut.
    cost : ndarray, shape (n, m), or None
        US dollars, NaN where a cell states none; see :func:`costs_filled`. None where an arm's are
        not known at all, ``no_cost`` says why.
    duplicates, conflicts : int
        Rows left out since their prompt's outcomes had been read; those whose outcomes differed.
    rows_in_both : int
        Prompts of judged rows that also stood among the others: they are not fitted on.
    """

    table: ScoreTable
    test: NDArray[np.intp] | None
    cost: Floats | None
    no_cost: str | None
    duplicates: int
    conflicts: int
    rows_in_both: int

    @property
    def characters(self) -> NDArray[np.int64]:
        """Length of each routed text, shape (n,)."""
        return np.array([len(text) for text in self.table.texts], dtype=np.int64)

    def expected_cost(self, rows: NDArray[np.intp]) -> ExpectedCost:
        """What a call will cost, learnt from the cells of these rows that state it.

        Raises
        ------
        DataError
            If costs are not known, or none of an arm's is stated in these rows.
        """
        if self.cost is None:
            raise DataError(f"there are no costs to learn from: {self.no_cost}")
        stated = self.cost[rows]
        silent = np.flatnonzero(np.isnan(stated).all(axis=0))
        if len(silent):
            name = self.table.arms[silent[0]]
            raise DataError(
                f"no cost of {name!r} is stated in {len(rows)} rows to learn costs from; state one "
                f"with --cost {name}=USD"
            )
        return ExpectedCost.fit(self.characters[rows], stated)


def costs_filled(stated: Floats, expected: Floats) -> Floats:
    """Costs of shape (n, m) with what is expected of a cell where it states none."""
    filled: Floats = np.where(np.isnan(stated), expected, stated)
    return filled


def records_of(
    table: ScoreTable,
    test: ScoreTable | None = None,
    *,
    prices: Mapping[str, float] | None = None,
    keep_duplicates: bool = False,
) -> Records:
    """Prepare rows to be compared on.

    Parameters
    ----------
    table, test : ScoreTable
        Rows, and others to judge, whose columns are picked by the first table's arms.
    prices : mapping of str to float, or None
        US dollars a call, by arm; in place of the table's costs of that arm.

    Raises
    ------
    DataError
        If ``test`` lacks an arm, or ``prices`` names an unknown one or is not a number of at
        least 0.
    """
    first, left_out, conflicts = _first_of_each(table, keep=keep_duplicates)
    held, place, both = first, None, 0
    if test is not None:
        judged, more, differing = _first_of_each(_aligned(test, table.arms), keep=keep_duplicates)
        left_out, conflicts = left_out + more, conflicts + differing
        both = len(set(first.hashes) & set(judged.hashes))
        held = _stacked(first, judged)
        place = np.arange(len(first), len(held), dtype=np.intp)
    cost, why = _costs(held, prices, learnt=len(first))
    return Records(
        table=held,
        test=place,
        cost=cost,
        no_cost=why,
        duplicates=left_out,
        conflicts=conflicts,
        rows_in_both=both,
    )


def _first_of_each(table: ScoreTable, *, keep: bool) -> tuple[ScoreTable, int, int]:
    """One row a prompt, how many others there were, and how many of those differ from it.

    Cells that the first row of a prompt lacks come from its others, so that each arm's outcomes may
    stand in a file of their own; a row that only adds such cells counts as none of the others.
    """
    if keep:
        return table, 0, 0
    first: dict[str, int] = {}
    quality = table.quality.copy()
    cost = None if table.cost_usd is None else table.cost_usd.copy()
    again = conflicts = 0
    for row, key in enumerate(table.hashes):
        kept = first.setdefault(key, row)
        if kept == row:
            continue
        there = ~np.isnan(table.quality[row])
        shared = there & ~np.isnan(quality[kept])
        again += bool(shared.any())
        conflicts += bool((quality[kept][shared] != table.quality[row][shared]).any())
        added = there & ~shared
        quality[kept][added] = table.quality[row][added]
        if cost is not None and table.cost_usd is not None:
            cost[kept][added] = table.cost_usd[row][added]
    if len(first) == len(table):
        return table, 0, 0
    rows = np.array(list(first.values()), dtype=np.intp)
    merged = replace(table, quality=quality, cost_usd=cost)
    return merged.select(rows), again, conflicts


def _aligned(test: ScoreTable, arms: tuple[str, ...]) -> ScoreTable:
    absent = [arm for arm in arms if arm not in test.arms]
    if absent:
        raise DataError(
            f"{test.source} has no arm {absent[0]!r}, which the rows to train on have; its arms "
            f"are {sorted(test.arms)}: name the arms that both have with --arms"
        )
    at = [test.arms.index(arm) for arm in arms]
    if at == list(range(len(test.arms))):
        return test
    cost = None if test.cost_usd is None else test.cost_usd[:, at]
    quality = test.quality[:, at]
    rows = np.flatnonzero(~np.isnan(quality).all(axis=1))
    narrowed = replace(test, arms=arms, quality=quality, cost_usd=cost)
    return narrowed if len(rows) == len(quality) else narrowed.select(rows)


def _stacked(one: ScoreTable, other: ScoreTable) -> ScoreTable:
    cost = None
    if one.cost_usd is not None and other.cost_usd is not None:
        cost = np.concatenate([one.cost_usd, other.cost_usd])
    return ScoreTable(
        arms=one.arms,
        quality=np.concatenate([one.quality, other.quality]),
        cost_usd=cost,
        texts=one.texts + other.texts,
        hashes=one.hashes + other.hashes,
        domains=one.domains + other.domains,
        source=f"{one.source}, {other.source}" if one.source != other.source else one.source,
    )


def _costs(
    table: ScoreTable, prices: Mapping[str, float] | None, *, learnt: int
) -> tuple[Floats | None, str | None]:
    """Costs of the cells that state one, or whose arm's price is given.

    Each arm states some among the first ``learnt`` rows, from which the others' are learnt.
    """
    given = prices or {}
    for name, price in given.items():
        if name not in table.arms:
            raise DataError(f"a cost is given for {name!r}; the arms are {list(table.arms)}")
        if not 0.0 <= price < np.inf:
            raise DataError(f"the cost of {name!r} is {price}; give a number of at least 0")
    cost = np.full(table.quality.shape, np.nan)
    if table.cost_usd is not None:
        cost = table.cost_usd.copy()
    for name, price in given.items():
        cost[:, table.arms.index(name)] = price
    silent = np.flatnonzero(np.isnan(cost[:learnt]).all(axis=0))
    if len(silent) == len(table.arms):
        return None, "the outcomes state no costs; state one for each arm with --cost ARM=USD"
    if len(silent):
        name = table.arms[silent[0]]
        return None, f"no cost of {name!r} is stated; state one with --cost {name}=USD"
    return cost, None
