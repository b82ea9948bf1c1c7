"""What the client's setting does to rows: overall, and domain by domain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy
from hybridroute.training.curve import curve_of
from hybridroute.training.metrics import evaluate_scores, quality_drop
from hybridroute.training.report_page.areas import limits
from hybridroute.training.report_page.routers import Router, Rows

Floats = NDArray[np.float64]
NO_DOMAIN = "(none named)"


@dataclass(frozen=True, slots=True, kw_only=True)
class AtSetting:
    """What one setting gives on the judged rows.

    Parameters
    ----------
    setting : str
        As a user would say it, for example ``"dial 0.5"``.
    threshold : float
        Edge if score >= threshold.
    edge_share : float
        Share of the rows that the edge answers, in [0, 1].
    drop, drop_low, drop_high : float
        Mean q of all-cloud minus mean q of routed, with its bootstrap limits, in units of q.
    relative_drop : float or None
        Over abs(mean q of all-cloud); None where that is too near zero.
    random_drop, oracle_drop : float
        The drop of a random choice and of the oracle at the same share.
    usd_saved : float or None
        Share of the all-cloud cost that is not spent, where every row states both costs.
    """

    setting: str
    threshold: float
    edge_share: float
    routed_quality: float
    drop: float
    drop_low: float
    drop_high: float
    relative_drop: float | None
    random_drop: float
    oracle_drop: float
    usd_saved: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRow:
    """One domain's figures; ``drop`` is at the setting, in units of q."""

    domain: str
    n: int
    edge_quality: float
    cloud_quality: float
    cloud_share: float
    apgr: float | None
    area: float
    drop: float


def chosen_setting(
    manifest: Manifest, models: Sequence[str], dial: float | None
) -> tuple[Setting, float]:
    """The dial that was asked for, else what a client starts with, and its threshold.

    Raises
    ------
    ConfigError
        If the dial is out of range or the bundle cannot say what it means.
    """
    policy = ThresholdPolicy(manifest, models)
    setting = policy.default if dial is None else Setting(dial=dial)
    return setting, policy.threshold(setting)


def at_setting(router: Router, rows: Rows, setting: Setting, threshold: float) -> AtSetting:
    """The setting's effect on all rows."""
    on_edge = router.scores >= threshold
    lost = np.where(on_edge, rows.gap, 0.0)
    share = float(on_edge.mean())
    low, high = limits(rows.weights @ lost / rows.weights.sum(axis=1))
    oracle = quality_drop(curve_of(-rows.gap, rows.edge_q, rows.cloud_q), share)
    usual = quality_drop(curve_of(router.scores, rows.edge_q, rows.cloud_q), share)
    drop = float(lost.mean())
    level = abs(float(rows.cloud_q.mean()))
    return AtSetting(
        setting=str(setting),
        threshold=threshold,
        edge_share=share,
        routed_quality=float(np.where(on_edge, rows.edge_q, rows.cloud_q).mean()),
        drop=drop,
        drop_low=low,
        drop_high=high,
        relative_drop=None if usual.refused else drop / level,
        random_drop=share * float(rows.gap.mean()),
        oracle_drop=oracle.absolute,
        usd_saved=_usd_saved(rows, on_edge),
    )


def _usd_saved(rows: Rows, on_edge: NDArray[np.bool_]) -> float | None:
    edge = [row.arms[rows.edge].cost_usd for row in rows.table.rows]
    cloud = [row.arms[rows.cloud].cost_usd for row in rows.table.rows]
    if any(cost is None for cost in (*edge, *cloud)):
        return None
    edge_cost = np.array([np.mean(cost) for cost in edge if cost])
    cloud_cost = np.array([np.mean(cost) for cost in cloud if cost])
    spent = float(np.where(on_edge, edge_cost, cloud_cost).sum())
    whole = float(cloud_cost.sum())
    return 1.0 - spent / whole if whole > 0.0 else None


def domain_rows(router: Router, rows: Rows, threshold: float) -> tuple[DomainRow, ...]:
    """One row a domain, the largest first; rows that name none stand together."""
    members: dict[str, list[int]] = {}
    for place, domain in enumerate(rows.table.domains()):
        members.setdefault(NO_DOMAIN if domain is None else domain, []).append(place)
    found = []
    for domain, places in members.items():
        score, edge, cloud = (held[places] for held in (router.scores, rows.edge_q, rows.cloud_q))
        judged = evaluate_scores(score, edge, cloud)
        on_edge = score >= threshold
        found.append(
            DomainRow(
                domain=domain,
                n=len(places),
                edge_quality=judged.edge_quality,
                cloud_quality=judged.cloud_quality,
                cloud_share=1.0 - float(on_edge.mean()),
                apgr=judged.apgr,
                area=judged.area_over_random,
                drop=float(np.where(on_edge, cloud - edge, 0.0).mean()),
            )
        )
    return tuple(sorted(found, key=lambda row: (-row.n, row.domain)))
