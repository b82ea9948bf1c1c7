"""Which of the rows given with a new arm can judge the enlarged pool's choices.

A row judges the choice of an arm whose outcome it holds, and only if the router was not fitted on
it. What is missing is not made up: filled with estimates, a choice of the largest estimate would
always look good, above all where the estimates are noise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.pool.score_table import ScoreTable

Floats = NDArray[np.float64]

FEWEST = 20
"""Outcomes of an arm under which nothing is said of it."""
_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JudgedRows:
    """Rows to calibrate on.

    Parameters
    ----------
    table : ScoreTable
        Every arm of the pool. Where ``unjudged`` is None, the outcomes as they are; else all rows,
        with an arm's earlier mean in place of what is missing; only means may be looked at then.
    estimates : ndarray, shape (n, m)
    unjudged : str or None
        Why nothing can be said of the quality of choices.
    """

    table: ScoreTable
    estimates: Floats
    unjudged: str | None

    def with_arms(self, order: NDArray[np.intp]) -> Self:
        """The same with the columns at ``order``."""
        return replace(self, table=self.table.with_arms(order), estimates=self.estimates[:, order])


def judged_rows(
    table: ScoreTable,
    earlier: Mapping[str, float],
    estimates: Floats,
    *,
    fitted: Collection[str],
) -> JudgedRows:
    """The rows of a table that can judge a pool.

    Parameters
    ----------
    table : ScoreTable
        The new arm, its last column, in every row, and some of the others.
    earlier : mapping of str to float
        The pool's other arms, and the mean quality of each where the pool was last judged.
    estimates : ndarray, shape (n, m)
        Of the table's rows: the others', and the new arm's by fits without the row.
    fitted : collection of str
        Hashes of the rows that the router was fitted on.
    """
    arms = (*earlier, table.arms[-1])
    quality = np.full(estimates.shape, np.nan)
    for at, name in enumerate(arms):
        if name in table.arms:
            quality[:, at] = table.quality[:, table.arms.index(name)]
    seen = set(fitted)
    unseen = np.array([one not in seen for one in table.hashes])
    held = (~np.isnan(quality[unseen])).sum(axis=0)
    lacking = [
        f"{count} of {name}" for name, count in zip(arms, held, strict=True) if count < FEWEST
    ]
    if not lacking:
        whole = replace(table, arms=arms, quality=quality, cost_usd=None)
        return JudgedRows(table=whole.select(unseen), estimates=estimates[unseen], unjudged=None)
    filled = np.where(np.isnan(quality), [*earlier.values(), np.nan], quality)
    more = "" if len(lacking) <= _NAMED else f" and too few of {len(lacking) - _NAMED} more"
    reason = (
        f"nobody has judged the choices: of the rows given, the {unseen.sum()} that the router was "
        f"not fitted on have {', '.join(lacking[:_NAMED])}{more}, where {FEWEST} of each arm are "
        "needed"
    )
    return JudgedRows(
        table=replace(table, arms=arms, quality=filled, cost_usd=None),
        estimates=estimates,
        unjudged=reason,
    )
