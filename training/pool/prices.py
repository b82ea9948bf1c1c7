"""What each arm of a pool is expected to cost: as stated, learnt from the table, or equal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.magnitude import fault_of
from hybridroute.training.pool.expected_cost import ExpectedCost
from hybridroute.training.pool.score_table import ScoreTable


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPrices:
    """Expected costs in the table's order of arms; ``source`` says where they come from."""

    cost: ExpectedCost
    source: str


def pool_prices(table: ScoreTable, stated: Mapping[str, float]) -> PoolPrices:
    """The expected cost of each arm of a table.

    Parameters
    ----------
    table : ScoreTable
        Its costs are learnt from, each arm's as a line in the length of the routed text.
    stated : mapping of str to float
        US dollars of a query, whatever its length, in place of the table's.

    Raises
    ------
    ConfigError
        If a stated cost is negative or of no arm of the table, or some arms have a cost and others
        have none.
    """
    _check(stated, table.arms)
    held = np.full((len(table), len(table.arms)), np.nan)
    if table.cost_usd is not None:
        held = table.cost_usd.copy()
    for arm, price in stated.items():
        held[:, table.arms.index(arm)] = price
    unknown = [arm for at, arm in enumerate(table.arms) if np.isnan(held[:, at]).all()]
    if len(unknown) == len(table.arms):
        nothing = np.zeros(len(table.arms))
        cost = ExpectedCost(base_usd=nothing, usd_per_character=nothing)
        return PoolPrices(cost=cost, source="no costs are stated: all arms count as equally dear")
    if unknown:
        raise ConfigError(
            f"arm {unknown[0]!r} has no cost in {table.source}, and others have; give --cost "
            f"{unknown[0]}=USD, US dollars of a query"
        )
    characters = np.array([len(text) for text in table.texts], dtype=np.int64)
    learnt = "" if len(stated) == len(table.arms) else "learnt from the fitted rows"
    given = f"stated for {', '.join(stated)}" if stated else ""
    found = ExpectedCost.fit(characters, held)
    for arm, price in stated.items():  # exactly as stated, not as a line through it
        found.base_usd[table.arms.index(arm)] = price
        found.usd_per_character[table.arms.index(arm)] = 0.0
    return PoolPrices(cost=found, source=", ".join(filter(None, (learnt, given))))


def _check(stated: Mapping[str, float], arms: tuple[str, ...]) -> None:
    for arm, cost in stated.items():
        if arm not in arms:
            raise ConfigError(f"a cost is stated for {arm!r}; the arms are {list(arms)}")
        if fault := fault_of(cost, low=0.0):
            raise ConfigError(f"the cost of {arm!r} {fault}")
