"""Labelled with metric A, judged by metric B: a router looks best by what it was trained on.

The qualities come from each arm's ``qualities`` object in the outcome table, one list a metric,
beside its ``quality``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.metric_name import metric_of
from hybridroute.training.metrics import evaluate_scores
from hybridroute.training.outcomes import Outcome
from hybridroute.training.report_page.areas import limits, share_of_oracle, weighted_area
from hybridroute.training.report_page.routers import Router, Rows

Floats = NDArray[np.float64]
KEY = "qualities"
_SAME = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One router judged by one metric.

    ``share`` is its area over random as a share of the oracle's, so that metrics of any unit can
    stand side by side: 0 is random, 1 the best there is; None where the oracle gains nothing.
    """

    metric: str
    share: float | None
    low: float | None
    high: float | None
    apgr: float | None
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixRow:
    """One router, and the metric its labels were made with, where its bundle states one."""

    name: str
    labelled_with: str | None
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """``left_out`` names metrics that some row lacks, with how many rows do.

    ``by_own`` and ``by_others`` are mean shares of the routers that state a metric of the table:
    judged by it, and by the others; None where there are not two such routers.
    """

    metrics: tuple[str, ...]
    rows: tuple[MatrixRow, ...]
    left_out: tuple[tuple[str, int], ...]
    quality_is: str | None
    by_own: float | None
    by_others: float | None


def metric_matrix(routers: Sequence[Router], rows: Rows) -> Matrix | None:
    """Every router by every metric that all rows have; None with fewer than two metrics."""
    means, left_out = metric_means(rows)
    if len(means) < 2:
        return None
    whole = np.ones((1, len(rows.gap)))
    found: dict[str, list[Cell]] = {router.name: [] for router in routers}
    for metric, (edge, cloud) in means.items():
        gap = cloud - edge
        oracle = float(weighted_area(-gap, gap, whole)[0])
        ideal = weighted_area(-gap, gap, rows.weights)
        for router in routers:
            cell = _cell(metric, router, (edge, cloud), oracle, (rows.weights, ideal))
            found[router.name].append(cell)
    lines = tuple(
        MatrixRow(
            name=router.name, labelled_with=router.labelled_with, cells=tuple(found[router.name])
        )
        for router in routers
    )
    own, others = _mean_shares(lines)
    return Matrix(
        metrics=tuple(means),
        rows=lines,
        left_out=left_out,
        quality_is=quality_is(rows, means),
        by_own=own,
        by_others=others,
    )


def _mean_shares(rows: Sequence[MatrixRow]) -> tuple[float | None, float | None]:
    stated = [row for row in rows if any(cell.own for cell in row.cells)]
    held: dict[bool, list[float]] = {True: [], False: []}
    for row in stated:
        for cell in row.cells:
            if cell.share is not None:
                held[cell.own].append(cell.share)
    if len(stated) < 2 or not all(held.values()):
        return None, None
    own, others = (math.fsum(held[kind]) / len(held[kind]) for kind in (True, False))
    return own, others


def _cell(
    metric: str,
    router: Router,
    means: tuple[Floats, Floats],
    oracle: float,
    drawn: tuple[Floats, Floats],
) -> Cell:
    edge, cloud = means
    weights, ideal = drawn
    judged = evaluate_scores(router.scores, edge, cloud)
    share = share_of_oracle(judged.area_over_random, oracle)
    low = high = None
    defined = ideal > 1e-12
    if share is not None and defined.any():
        areas = weighted_area(router.scores, cloud - edge, weights[defined])
        low, high = limits(areas / ideal[defined])
    return Cell(
        metric=metric,
        share=share,
        low=low,
        high=high,
        apgr=judged.apgr,
        own=metric == router.labelled_with,
    )


def metric_means(
    rows: Rows,
) -> tuple[dict[str, tuple[Floats, Floats]], tuple[tuple[str, int], ...]]:
    """Mean quality of (edge, cloud) by metric, each of shape (n,); and the metrics left out."""
    names: dict[str, None] = {}
    for row in rows.table.rows:
        for arm in (rows.edge, rows.cloud):
            names.update(dict.fromkeys(_qualities(row, arm)))
    means, left_out = {}, []
    for name in names:
        held = [
            (_mean(row, rows.edge, name), _mean(row, rows.cloud, name)) for row in rows.table.rows
        ]
        missing = sum(edge is None or cloud is None for edge, cloud in held)
        if missing:
            left_out.append((name, missing))
        else:
            pair = np.array(held, dtype=np.float64)
            means[name] = (pair[:, 0], pair[:, 1])
    return means, tuple(left_out)


def quality_is(rows: Rows, means: Mapping[str, tuple[Floats, Floats]]) -> str | None:
    """The metric that the table's ``quality`` holds: stated, or found by its values."""
    stated = metric_of(rows.table).name
    if stated in means:
        return stated
    for name, (edge, cloud) in means.items():
        if np.abs(edge - rows.edge_q).max() < _SAME and np.abs(cloud - rows.cloud_q).max() < _SAME:
            return name
    return None


def _qualities(row: Outcome, arm: str) -> Mapping[str, Any]:
    held = row.arms[arm].extra.get(KEY)
    return held if isinstance(held, Mapping) else {}


def _mean(row: Outcome, arm: str, metric: str) -> float | None:
    held = _qualities(row, arm).get(metric)
    listed: Sequence[object] = held if isinstance(held, (list, tuple)) else [held]
    values = [float(value) for value in listed if _is_finite(value)]
    if not values or len(values) < len(listed):
        return None
    return math.fsum(values) / len(values)


def _is_finite(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value)
