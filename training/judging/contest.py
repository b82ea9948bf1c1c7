"""The whole protocol: every router fitted, chosen and judged on the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.judging.all_runs import Plan, Played, played, run_of
from hybridroute.training.judging.build_comparison import build_comparison
from hybridroute.training.judging.comparison import Comparison
from hybridroute.training.judging.folds import folds_of
from hybridroute.training.judging.records import Records
from hybridroute.training.judging.setting_search import Contender
from hybridroute.training.pool.estimator import Queries
from hybridroute.training.stages import OnStage, untold


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Contest:
    """What was found, and the winner with its settings, to be fitted again for a bundle."""

    found: Comparison
    winner: Played


def contest(
    records: Records,
    queries: Queries,
    contenders: Sequence[Contender],
    plan: Plan,
    *,
    standing: Sequence[Contender] = (),
    on_step: OnStage = untold,
) -> Contest:
    """Judge every contender beside the baselines.

    Parameters
    ----------
    queries : Queries
        Of all rows of the records, in their order.
    standing : sequence of Contender
        Fitted and judged, too, but they cannot win.
    on_step : callable
        Told what is being fitted, and when all are judged.

    Raises
    ------
    ConfigError
        If two contenders have one name, or none can be fitted.
    DataError
        If the rows cannot be cut into parts, or averaged over domains they lack, or ``plan.scope``
        is of other rows.
    """
    names = [one.name for one in (*contenders, *standing)]
    if not contenders or len(set(names)) != len(names):
        raise ConfigError(f"the estimators are {names}; give one or more different ones")
    if plan.scope is not None and len(plan.scope.outside) != len(records.table):
        raise DataError(
            f"the scope is of {len(plan.scope.outside)} rows, and there are {len(records.table)}"
        )
    folds = folds_of(records.table, held_out=plan.held_out, seeds=plan.seeds, test=records.test)
    runs = [run_of(records, fold, plan) for fold in folds]
    field = played(
        records,
        queries,
        contenders,
        standing=standing,
        plan=plan,
        runs=runs,
        on_step=on_step,
    )
    on_step("judging them all, with intervals")
    winner = field.winner()
    return Contest(found=build_comparison(records, plan, runs, field, winner), winner=winner)
