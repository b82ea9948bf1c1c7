"""One run of the protocol, and how a router did in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.judging.cost_curve import Sweep, sweep
from hybridroute.training.judging.folds import Fold
from hybridroute.training.judging.records import Records
from hybridroute.training.judging.tie_breaking import at_choices, choices
from hybridroute.training.out_of_scope import ROUTER_DECIDES, answered
from hybridroute.training.pool.estimator import EstimateKind

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Run:
    """What one fold shows to routers and judges them by.

    Parameters
    ----------
    fold : Fold
    quality : ndarray, shape (n, m)
        Of the judged rows; NaN where missing.
    cost, expected : ndarray, shape (n, m), or None
        Stated and expected costs of the judged rows; a cell that states none has the expected one.
    train_quality : ndarray, shape (m,)
        Mean quality of each arm on the rows to train on, by which the best single arm is chosen:
        over rows, or over domains where those are averaged.
    out_of_scope_arm : ndarray of int, shape (n,), or None
        The arm that answers each judged row as it is served, where the router cannot read it, and
        ``ROUTER_DECIDES`` where it can; None where nobody can say what it can read.
    """

    fold: Fold
    quality: Floats
    cost: Floats | None
    expected: Floats | None
    train_quality: Floats
    out_of_scope_arm: NDArray[np.intp] | None = None

    @property
    def present(self) -> NDArray[np.bool_]:
        """Whether each judged row has an outcome of each arm."""
        return ~np.isnan(self.quality)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Routed:
    """A router's judged rows in one run.

    Parameters
    ----------
    quality : ndarray, shape (n,)
        Of the arm it called, or the expectation where it calls at random.
    cost : ndarray, shape (n,), or None
    shares : ndarray, shape (m,)
        How often it called each arm.
    swept : Sweep or None
        The same at other weights of cost.
    """

    quality: Floats
    cost: Floats | None
    shares: Floats
    swept: Sweep | None = None


def routed(
    values: Floats, run: Run, *, kind: EstimateKind | None = None, as_served: bool = False
) -> Routed:
    """Call the arm of the largest value in each row; ``kind`` adds what other weights give.

    ``as_served``: rows that the router cannot read go to their out-of-scope arm at every weight.
    """
    seed, fixed = run.fold.seed, run.out_of_scope_arm if as_served else None
    chosen = answered(choices(values, run.present, seed=seed), fixed)
    swept = None
    if kind is not None and run.cost is not None and run.expected is not None:
        swept = sweep(
            values,
            kind,
            expected=run.expected,
            quality=run.quality,
            cost=run.cost,
            seed=seed,
            fixed=fixed,
        )
    return Routed(
        quality=at_choices(run.quality, chosen),
        cost=None if run.cost is None else at_choices(run.cost, chosen),
        shares=np.bincount(chosen, minlength=values.shape[1]) / len(chosen),
        swept=swept,
    )


def served_quality(part: Routed, run: Run) -> Floats | None:
    """Of each judged row once a bundle serves it, shape (n,).

    Its out-of-scope arm answers what the router cannot read. None where nobody can say what that
    is.
    """
    fixed = run.out_of_scope_arm
    if fixed is None:
        return None
    outside = fixed != ROUTER_DECIDES
    return np.where(outside, at_choices(run.quality, np.where(outside, fixed, 0)), part.quality)


def always(ranking: Floats, run: Run) -> Routed:
    """Call the first arm of a ranking of shape (m,) that the row has an outcome of."""
    return routed(np.broadcast_to(ranking, run.quality.shape), run)


def arm_means(records: Records, rows: NDArray[np.intp], *, over_domains: bool) -> Floats:
    """Mean quality of each arm on some rows, shape (m,); -inf where it has no outcome there."""
    quality = records.table.quality[rows]
    if not over_domains:
        return present_means(quality)
    names = np.array([str(records.table.domains[row]) for row in rows])
    means = np.stack([present_means(quality[names == name]) for name in np.unique(names)])
    return present_means(np.where(np.isinf(means), np.nan, means))


def present_means(quality: Floats) -> Floats:
    """Column means of what is there, shape (m,); -inf for a column with nothing."""
    present = ~np.isnan(quality)
    count = present.sum(axis=0)
    total = np.where(present, quality, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), -np.inf)
