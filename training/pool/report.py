"""What a pool's bundle does on test rows, beside what any router must be compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.pool import Pool
from hybridroute.training.curve import standard_error
from hybridroute.training.pool.metrics import (
    effective_p,
    oracle_quality,
    random_quality,
)
from hybridroute.training.pool.score_table import ScoreTable

Floats = NDArray[np.float64]
_DIALS = (0.0, 0.25, 0.5, 0.75, 1.0)
_Z95 = 1.96


def pool_report(bundle: Bundle, table: ScoreTable) -> dict[str, Any]:
    """Judge the bundle on a table's rows, whose columns are the bundle's arms in their order.

    A row is judged on the best choice among the arms it has an outcome of.
    """
    pool = bundle.manifest.pool
    assert pool is not None  # noqa: S101 (narrows the type: a pool's bundle was just made)
    estimates = bundle.scorer().estimate(table.texts)[0].astype(np.float64)
    characters = np.array([len(text) for text in table.texts], dtype=np.int64)
    expected = np.array([[arm.cost_usd(int(size)) for arm in pool.arms] for size in characters])
    chance = random_quality(table.quality)
    oracle = oracle_quality(table.quality)
    free = _routed(estimates, expected, table.quality, 0.0)
    best = np.flatnonzero(np.array(table.arms) == pool.best_single)[0]
    return {
        "n": len(table),
        "routed": _mean(free.quality),
        "routed_usd": free.usd,
        "effective_p": effective_p(
            float(free.quality.mean()), float(chance.mean()), float(oracle.mean())
        ),
        "shares": dict(zip(table.arms, free.shares, strict=True)),
        "arms": {arm: float(np.nanmean(table.quality[:, at])) for at, arm in enumerate(table.arms)},
        "best_single": pool.best_single,
        "best_single_quality": float(np.nanmean(table.quality[:, best])),
        "random": float(chance.mean()),
        "oracle": float(oracle.mean()),
        "dials": [] if pool.flat else _dials(pool, estimates, expected, table.quality),
    }


class _Routed:
    """Qualities of the choices at a weight, their mean expected cost, and each arm's share."""

    def __init__(self, quality: Floats, usd: float, shares: list[float]) -> None:
        self.quality, self.usd, self.shares = quality, usd, shares


def _routed(estimates: Floats, expected: Floats, quality: Floats, weight: float) -> _Routed:
    worth = np.where(np.isnan(quality), -np.inf, estimates - weight * expected)
    chosen, rows = worth.argmax(axis=1), np.arange(len(worth))
    shares = np.bincount(chosen, minlength=worth.shape[1]) / len(worth)
    return _Routed(quality[rows, chosen], float(expected[rows, chosen].mean()), shares.tolist())


def _mean(quality: Floats) -> dict[str, float]:
    mean, half = float(quality.mean()), _Z95 * standard_error(quality)
    return {"quality": mean, "low": mean - half, "high": mean + half}


def _dials(
    pool: Pool, estimates: Floats, expected: Floats, quality: Floats
) -> list[dict[str, Any]]:
    grid = len(pool.dial.cost_weight) - 1
    rows = []
    for dial in _DIALS:
        at = round(dial * grid)
        found = _routed(estimates, expected, quality, pool.dial.cost_weight[at])
        rows.append(
            {
                "dial": dial,
                "expected_quality": pool.dial.quality[at],
                "expected_usd": pool.dial.cost_usd[at],
                **_mean(found.quality),
                "usd": found.usd,
            }
        )
    return rows
