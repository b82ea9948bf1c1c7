"""One row of a comparison: a router's figures with their intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hybridroute.edge_runtime.chat import plain

Role = Literal["estimator", "baseline", "bound"]
Pair = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A figure of router a minus that of router b, paired; ``ci95`` leaves out 0 where one is
    surely larger. ``figure`` is ``quality`` or ``aiq``."""

    a: str
    b: str
    difference: float
    ci95: Pair
    figure: str = "quality"


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoArms:
    """The figures of a threshold between two arms, as :mod:`hybridroute.training.metrics` defines.

    ``edge`` is the cheaper arm, or the one of lower quality where no costs are known.
    """

    edge: str
    cloud: str
    apgr: float | None
    apgr_ci95: Pair | None
    cpt50: float | None
    cpt80: float | None
    undefined: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """Quality for cost.

    Parameters
    ----------
    aiq, aiq_ci95 : float, (float, float), or None
        Mean height of the hull over the comparison's cost range; each resample has its own range,
        from the arm that is cheapest in it.
    ndch : tuple of (cost, quality)
        The hull's corners: mean US dollars a query, and mean quality.
    cpt50, cpt80 : float or None
        Share, in percent, of the step in cost from the cheapest to the best single arm that
        recovers .5 and .8 of the step in quality.
    saving50, saving80 : float or None
        How many times less of it than a random mix of the two needs.
    """

    aiq: float | None
    aiq_ci95: Pair | None
    ndch: tuple[Pair, ...]
    cpt50: float | None
    cpt80: float | None
    saving50: float | None
    saving80: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRow:
    """A router's figures on the judged rows.

    Parameters
    ----------
    name, role
    kind : str or None
        Of its estimates; None for what estimates nothing.
    setting : tuple of str
        What the select rows chose, one a run.
    quality, ci95
        Mu_o: mean quality of the arms it called, and its interval.
    quality_by_run : tuple of float
    served_quality : float or None
        Mean quality of a bundle of it as it is served: what the router cannot read, its
        out-of-scope arm answers. None where nobody can say what that is.
    effective_p, effective_p_ci95
        None where the oracle gains nothing over chance.
    cost : float or None
        Mean US dollars a query.
    v_b, v_r : float or None
        Quality over the best single arm's, and over the given reference's.
    pgr : float or None
        Share of the best single arm's lead over the cheapest arm that it recovers; None unless
        that lead is above 2 SE.
    cost_advantage : float or None
        Of two arms: the share of calls to the cheaper one. Of more: the share of the best single
        arm's cost that it saves.
    quality_drop : float
        Mean quality of the best single arm minus this router's.
    e_p : float
        Entropy of its choices, in bits; the mean of the runs'.
    choices : mapping of str to float
        Share of the rows that each arm is called for.
    by_domain : mapping of str to float
        Mean quality in each domain.
    over_best_single : Difference or None
    over_equal_cost_arm : Difference or None
        Over the best arm, by the rows to train on, that costs at most 5 % more than this router.
    aiq_over_zero : Difference or None
        Over RouterBench's Zero router, the hull of the single arms.
    ece, brier : float or None
        Of estimates of kind ``quality``, cut to [0, 1], where every outcome is in [0, 1]; of a
        bundle, on the rows that its router can read.
    fit_s, tune_s : float or None
        Median seconds of the last fit, and of choosing the setting.
    route_ms, route_ms_p95 : float or None
        Milliseconds to route one query.
    select_value : float or None
        What the winner is chosen by: AIQ, or mean quality, on select rows.
    """

    name: str
    role: Role
    kind: str | None = None
    setting: tuple[str, ...] = ()
    quality: float
    ci95: Pair
    quality_by_run: tuple[float, ...]
    effective_p: float | None
    effective_p_ci95: Pair | None
    cost: float | None
    v_b: float | None
    v_r: float | None
    pgr: float | None
    cost_advantage: float | None
    quality_drop: float
    e_p: float
    choices: Mapping[str, float]
    by_domain: Mapping[str, float]
    over_best_single: Difference | None
    over_equal_cost_arm: Difference | None = None
    aiq_over_zero: Difference | None = None
    savings: Savings | None = None
    two_arms: TwoArms | None = None
    ece: float | None = None
    brier: float | None = None
    fit_s: float | None = None
    tune_s: float | None = None
    route_ms: float | None = None
    route_ms_p95: float | None = None
    select_value: float | None = None
    served_quality: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """A JSON object; every number finite or null."""
        held: dict[str, Any] = plain(self)
        return held
