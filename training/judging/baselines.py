"""The rows that always stand in a table: what any router must beat, and what none can."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.judging.cost_curve import Sweep
from hybridroute.training.judging.one_run import Routed, Run, always, present_means, routed
from hybridroute.training.judging.records import Records
from hybridroute.training.pool.hull import hull_of
from hybridroute.training.pool.metrics import (
    oracle_cost,
    oracle_quality,
    partial_oracle,
    random_quality,
)

Floats = NDArray[np.float64]
_ABOUT = 1.05


def chance(run: Run) -> Routed:
    """A uniform choice among each row's arms, by its expectation."""
    each = run.present / run.present.sum(axis=1, keepdims=True)
    return Routed(
        quality=random_quality(run.quality),
        cost=None if run.cost is None else (each * run.cost).sum(axis=1),
        shares=each.mean(axis=0),
    )


def best_single(run: Run) -> Routed:
    """The arm of the largest mean on the rows to train on, whatever the query."""
    return always(run.train_quality, run)


def best_per_domain(run: Run, records: Records) -> Routed:
    """The best arm of the query's domain on the rows to train on.

    It is told the domain, which a router has to guess. In a domain without rows it is the best
    single arm.
    """
    table = records.table
    train = run.fold.train
    names = np.array([str(table.domains[row]) for row in train])
    wanted = np.array([str(table.domains[row]) for row in run.fold.test])
    values = np.tile(run.train_quality, (len(wanted), 1))
    for name in np.intersect1d(np.unique(wanted), names):
        means = present_means(table.quality[train[names == name]])
        values[wanted == name] = means
    return routed(values, run)


def arm_at_cost(run: Run, budget: float) -> Routed:
    """One arm instead of a router: the best on the rows to train on that costs hardly more.

    ``budget`` is what the router costs on the judged rows, and arms' costs are those of the same
    rows: else an arm that a router always calls could seem too dear for it. 5 % above the budget is
    allowed, so that a router that seldom leaves its dearest arm is compared with that arm. Where
    every arm costs more, it is the cheapest.
    """
    cost = _mean_cost(run)
    affordable = cost <= _ABOUT * budget
    if not affordable.any():
        affordable = cost == cost.min()
    ranking = np.empty(len(cost))
    ranking[np.lexsort((run.train_quality, affordable))] = np.arange(len(cost), dtype=np.float64)
    return always(ranking, run)


def zero_router(run: Run, budget: float) -> Routed:
    """RouterBench's Zero router (arXiv 2403.12031, section 3.3): the hull of the single models.

    A random mix of two arms, blind to the query, whose mean cost on the judged rows is ``budget``;
    which arms, their qualities on the rows to train on say. Its quality and cost are the
    expectation, its hull is that of all arms.
    """
    cost, known = _mean_cost(run), np.flatnonzero(np.isfinite(run.train_quality))
    hull = hull_of(cost[known], run.train_quality[known])
    corners = known[hull.members]
    place = float(np.interp(budget, hull.cost, np.arange(len(corners))))
    low = int(place)
    high = min(low + 1, len(corners) - 1)
    cheap, dear = (always(_only(int(corners[at]), run), run) for at in (low, high))
    return replace(mixed(cheap, dear, place - low), swept=_each_arm(run))


def _each_arm(run: Run) -> Sweep | None:
    if run.cost is None:
        return None
    alone = [always(_only(arm, run), run) for arm in range(run.quality.shape[1])]
    costs = [one.cost for one in alone if one.cost is not None]
    quality = np.stack([one.quality for one in alone], axis=1)
    return Sweep(quality=quality, cost=np.stack(costs, axis=1))


def half_oracle(run: Run) -> Routed:
    """r_o(.5) (RouterEval): the oracle half of the time, else a uniform choice."""
    return replace(mixed(chance(run), oracle(run), 0.5), quality=partial_oracle(run.quality, 0.5))


def mixed(one: Routed, other: Routed, share: float) -> Routed:
    """The other with this chance, else the one, by its expectation."""
    cost = None
    if one.cost is not None and other.cost is not None:
        cost = (1.0 - share) * one.cost + share * other.cost
    return Routed(
        quality=(1.0 - share) * one.quality + share * other.quality,
        cost=cost,
        shares=(1.0 - share) * one.shares + share * other.shares,
    )


def oracle(run: Run) -> Routed:
    """The best arm of each row, the cheapest of equals; without costs, equals share."""
    best = run.quality == oracle_quality(run.quality)[:, None]
    if run.cost is None:
        each = best / best.sum(axis=1, keepdims=True)
        return Routed(quality=oracle_quality(run.quality), cost=None, shares=each.mean(axis=0))
    cost = oracle_cost(run.quality, run.cost)
    taken = np.where(best, run.cost, np.inf).argmin(axis=1)
    return Routed(
        quality=oracle_quality(run.quality),
        cost=cost,
        shares=np.bincount(taken, minlength=best.shape[1]) / len(best),
    )


def _only(arm: int, run: Run) -> Floats:
    """A ranking with this arm first and the others by their means."""
    ranking = run.train_quality.copy()
    ranking[arm] = np.inf
    return ranking


def _mean_cost(run: Run) -> Floats:
    """Of each arm on the judged rows, shape (m,)."""
    if run.cost is None:
        raise DataError("there are no costs to choose by")
    means: Floats = run.cost.mean(axis=0)
    return means
