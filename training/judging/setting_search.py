"""Choosing an estimator's settings: as many tries for each, judged on the same select rows."""

from __future__ import annotations

import time
from dataclasses import dataclass

from hybridroute.edge_runtime.errors import ConfigError, HybridRouteError
from hybridroute.training.judging.folds import Fold
from hybridroute.training.judging.objective import SelectRows
from hybridroute.training.judging.records import Records
from hybridroute.training.pool.estimator import Estimator, FittedEstimator, Queries

TRIES = 3
"""Settings tried for each estimator that has any; part of the protocol, so that none is favoured
by having been searched harder."""
_ROUND_OFF = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """An estimator and the settings to choose among.

    Parameters
    ----------
    name : str
        What its row is called.
    settings : tuple of (str, Estimator)
        What each is called, and itself; at most ``TRIES``.
    """

    name: str
    settings: tuple[tuple[str, Estimator], ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.settings) <= TRIES:
            raise ConfigError(
                f"{self.name!r} has {len(self.settings)} settings; give from 1 to {TRIES}"
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tuned:
    """A contender fitted with the settings that did best.

    Parameters
    ----------
    setting : str
    estimator : Estimator
        With these settings, not fitted.
    fitted : FittedEstimator
        On the rows to fit on and those to select by.
    select_value : float
        On the rows selected by, fitted without them; see :class:`SelectRows`.
    tune_s, fit_s : float
        Seconds of all tries, and of the last fit.
    """

    setting: str
    estimator: Estimator
    fitted: FittedEstimator
    select_value: float
    tune_s: float
    fit_s: float


def tuned(
    contender: Contender, records: Records, queries: Queries, fold: Fold, rows: SelectRows
) -> Tuned:
    """Fit every setting, keep the best on the select rows, and fit it on both parts.

    The first of equals is kept. A setting that the data cannot support is passed over.

    Raises
    ------
    HybridRouteError
        The last setting's own, if none can be fitted.
    """
    started = time.perf_counter()
    best: tuple[float, str, Estimator] | None = None
    failed: HybridRouteError | None = None
    quality = records.table.quality
    for setting, estimator in contender.settings:
        try:
            fitted = estimator.fit(queries.select(fold.fit), quality[fold.fit], seed=fold.seed)
        except HybridRouteError as exc:
            failed = exc
            continue
        found = rows.value(fitted.estimate(queries.select(fold.select)).mean, fitted.kind)
        if best is None or found > best[0] + _ROUND_OFF:
            best = found, setting, estimator
    if best is None:
        raise failed or ConfigError(f"{contender.name!r} has no setting to fit")
    tune_s = time.perf_counter() - started
    chosen, setting, estimator = best
    started = time.perf_counter()
    whole = estimator.fit(queries.select(fold.train), quality[fold.train], seed=fold.seed)
    return Tuned(
        setting=setting,
        estimator=estimator,
        fitted=whole,
        select_value=chosen,
        tune_s=tune_s,
        fit_s=time.perf_counter() - started,
    )
