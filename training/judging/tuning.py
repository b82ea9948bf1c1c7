"""Choosing an estimator's settings: as many tries for each, judged on the same select rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hybridroute.edge_runtime.errors import ConfigError, HybridRouteError
from hybridroute.training.judging.choosing import at_choices, choices
from hybridroute.training.judging.folds import Fold
from hybridroute.training.judging.paired import Average
from hybridroute.training.judging.records import Records
from hybridroute.training.pool.estimator import Estimator, FittedEstimator, Queries

TRIES = 3
"""Settings tried for each estimator that has any; part of the protocol, so that none is favoured
by having been searched harder."""


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
    fitted : FittedEstimator
        On the rows to fit on and those to select by.
    select_quality : float
        Mean quality on the rows selected by, fitted without them.
    tune_s, fit_s : float
        Seconds of all tries, and of the last fit.
    """

    setting: str
    estimator: Estimator
    fitted: FittedEstimator
    select_quality: float
    tune_s: float
    fit_s: float


def tuned(
    contender: Contender, records: Records, queries: Queries, fold: Fold, *, average: Average
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
        found = _select_quality(fitted, records, queries, fold, average)
        if best is None or found > best[0]:
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
        select_quality=chosen,
        tune_s=tune_s,
        fit_s=time.perf_counter() - started,
    )


def _select_quality(
    fitted: FittedEstimator, records: Records, queries: Queries, fold: Fold, average: Average
) -> float:
    quality = records.table.quality[fold.select]
    mean = fitted.estimate(queries.select(fold.select)).mean
    got = at_choices(quality, choices(mean, ~np.isnan(quality), seed=fold.seed))
    if average == "rows":
        return float(got.mean())
    names = np.array([str(records.table.domains[row]) for row in fold.select])
    return float(np.mean([got[names == name].mean() for name in np.unique(names)]))


def best_on_select(found: Mapping[str, Sequence[Tuned]]) -> str:
    """The contender of the largest mean quality on select rows: no judged row has a say."""
    means: Callable[[str], float] = lambda name: float(  # noqa: E731
        np.mean([one.select_quality for one in found[name]])
    )
    return max(found, key=means)
