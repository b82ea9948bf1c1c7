"""What a pool's bundle does on test rows, beside what any router must be compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.pool import Pool
from hybridroute.training.curve import standard_error
from hybridroute.training.out_of_scope import (
    ROUTER_DECIDES,
    answered,
    out_of_scope_ranking,
    outside_of,
    standing_in,
)
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

    A row is judged on the best choice among the arms it has an outcome of; one out of scope on the
    best single arm, as it is served.
    """
    pool = bundle.manifest.pool
    assert pool is not None  # noqa: S101 (narrows the type: a pool's bundle was just made)
    rows = _Rows.of(bundle, pool, table)
    chance = random_quality(table.quality)
    oracle = oracle_quality(table.quality)
    free = rows.routed(0.0)
    best = table.arms.index(pool.best_single)
    return {
        "n": len(table),
        "n_out_of_scope": int((rows.fixed != ROUTER_DECIDES).sum()),
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
        "dials": [] if pool.flat else _dials(pool, rows),
    }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Routed:
    """Qualities of the choices at a weight, their mean expected cost, and each arm's share."""

    quality: Floats
    usd: float
    shares: list[float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rows:
    """The test rows: (n, m) each; ``fixed`` (n,) is who answers what is out of scope."""

    estimates: Floats
    expected: Floats
    quality: Floats
    fixed: NDArray[np.intp]

    @classmethod
    def of(cls, bundle: Bundle, pool: Pool, table: ScoreTable) -> Self:
        scorer, limit = bundle.scorer(), bundle.manifest.unknown_token_limit
        characters = np.array([len(text) for text in table.texts], dtype=np.int64)
        return cls(
            estimates=scorer.estimate(table.texts)[0].astype(np.float64),
            expected=np.array(
                [[arm.cost_usd(int(size)) for arm in pool.arms] for size in characters]
            ),
            quality=table.quality,
            fixed=standing_in(
                outside_of(scorer, table.texts, limit),
                ~np.isnan(table.quality),
                out_of_scope_ranking(pool),
            ),
        )

    def routed(self, weight: float) -> _Routed:
        worth = self.estimates - weight * self.expected
        worth = np.where(np.isnan(self.quality), -np.inf, worth)
        chosen, rows = answered(worth.argmax(axis=1), self.fixed), np.arange(len(worth))
        shares = np.bincount(chosen, minlength=worth.shape[1]) / len(worth)
        return _Routed(
            quality=self.quality[rows, chosen],
            usd=float(self.expected[rows, chosen].mean()),
            shares=shares.tolist(),
        )


def _mean(quality: Floats) -> dict[str, float]:
    mean, half = float(quality.mean()), _Z95 * standard_error(quality)
    return {"quality": mean, "low": mean - half, "high": mean + half}


def _dials(pool: Pool, judged: _Rows) -> list[dict[str, Any]]:
    grid = len(pool.dial.cost_weight) - 1
    rows = []
    for dial in _DIALS:
        at = round(dial * grid)
        found = judged.routed(pool.dial.cost_weight[at])
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
