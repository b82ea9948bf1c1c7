"""How often a calibrated limit on the quality drop is broken, and what it costs to keep it.

``python -m benchmarks.promise --data DIR`` prints docs/promise.md's tables. A pair's held-out pool
is the population and its own mean the truth. From it n rows are drawn with replacement; the
threshold is chosen on them by the point estimate (Hybrid LLM, section 4.5: the largest cost
advantage whose mean drop is under the limit), by the normal approximation, and by ours; the last
two test thresholds in the same order. A choice breaks the limit if the pool's drop there is above.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from benchmarks.promise_pools import PAIRS, fitted, outcomes_of
from hybridroute.training.promise.outcomes import LATTICE, Limit, PairedOutcomes
from hybridroute.training.promise.search import first_refusal, search
from hybridroute.training.promise.three_valued import CriticalValues, critical_values

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ALPHAS = (0.01, 0.02, 0.05)
SIZES = {500: 500, 2000: 3000}
"""Rows drawn, and the least pool they are drawn from."""
CONFIDENCE = 0.9
_CHUNK = 100
_TOP = len(LATTICE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """One way's choices: the place in the lattice of each draw's threshold."""

    broken: float
    advantage: float
    nothing: float

    @classmethod
    def of(cls, places: Counts, drop: Floats, share: Floats, alpha: float) -> Draws:
        """Judge choices against the pool: ``drop`` and ``share`` have one entry a threshold."""
        chosen = share[places]
        return cls(
            broken=float((drop[places] > alpha).mean()),
            advantage=float(chosen.mean()),
            nothing=float((chosen == 0.0).mean()),
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One pair, size and limit, and how each way did."""

    pair: str
    pool: int
    kind: str
    n: int
    alpha: float
    point: Draws
    normal: Draws
    ours: Draws

    @property
    def limit(self) -> float:
        """delta + 2 standard errors of a share over the draws."""
        return 1.0 - CONFIDENCE + 2.0 * math.sqrt(CONFIDENCE * (1.0 - CONFIDENCE) / RUNS)

    @property
    def kept(self) -> float | None:
        """Ours over the normal approximation's cost advantage, where the goal speaks of it."""
        spoken = self.n == 2000 and self.alpha == 0.05 and self.point.advantage >= 0.2
        return self.ours.advantage / self.normal.advantage if spoken else None


RUNS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.promise", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of outcome records")
    parser.add_argument("--only", help="pairs whose name holds this")
    held = parser.parse_args()
    rows = [
        row
        for pair in PAIRS
        if held.only is None or held.only in pair.name
        for row in measured(pair.name, outcomes_of(*fitted(held.data, pair), pair))
    ]
    show(rows)


def measured(name: str, pool: PairedOutcomes) -> list[Row]:
    """Every size the pool is large enough for, with every limit."""
    drop = np.append(_above(pool.place, pool.loss), 0.0) / pool.n
    share = np.append(_above(pool.place, np.ones(pool.n)), 0.0) / pool.n
    rows = []
    for n, least in SIZES.items():
        if pool.n < least:
            continue
        chosen = _chosen(pool, n)
        for alpha in ALPHAS:
            point, normal, ours = (Draws.of(places, drop, share, alpha) for places in chosen[alpha])
            rows.append(
                Row(
                    pair=name,
                    pool=pool.n,
                    kind="0/1" if pool.two_valued else "fractions",
                    n=n,
                    alpha=alpha,
                    point=point,
                    normal=normal,
                    ours=ours,
                )
            )
            print_row(rows[-1])
    return rows


def _chosen(pool: PairedOutcomes, n: int) -> dict[float, tuple[Counts, Counts, Counts]]:
    """For each limit the places chosen by the three ways, each of shape (RUNS,)."""
    draw = np.random.default_rng(n)
    z = NormalDist().inv_cdf(CONFIDENCE)
    tables = _tables(pool, n)
    found: dict[float, list[list[Counts]]] = {alpha: [[], [], []] for alpha in ALPHAS}
    for _ in range(0, RUNS, _CHUNK):
        drawn = draw.integers(0, pool.n, (_CHUNK, n))
        place, loss = pool.place[drawn], pool.loss[drawn]
        total, squares = _above(place, loss), _above(place, loss**2)
        mean = total / n
        spread = np.sqrt(np.maximum(squares / n - mean**2, 0.0) / n)
        for alpha in ALPHAS:
            ways = found[alpha]
            ways[0].append(_lowest(mean <= alpha))
            ways[1].append(first_refusal(mean + z * spread <= alpha))
            if pool.two_valued:
                held = tables[alpha].rejects(_whole(squares), _whole(total))
                ways[2].append(first_refusal(held))
            else:
                limit = Limit(max_drop=alpha, confidence=CONFIDENCE)
                picked = (_picked(pool, rows) for rows in drawn)
                ways[2].append(np.array([search(rows, limit).place for rows in picked]))
    return {
        alpha: (np.concatenate(a), np.concatenate(b), np.concatenate(c))
        for alpha, (a, b, c) in found.items()
    }


def _tables(pool: PairedOutcomes, n: int) -> dict[float, CriticalValues]:
    delta = Limit(max_drop=0.5, confidence=CONFIDENCE).delta
    if not pool.two_valued:
        return {}
    most = int(n * min(1.0, 1.2 * float(np.mean(pool.loss != 0.0)) + 0.05))
    return {alpha: critical_values(n, alpha, delta, most=most) for alpha in ALPHAS}


def _whole(values: Floats) -> Counts:
    return np.rint(values).astype(np.int64)


def _picked(pool: PairedOutcomes, rows: Counts) -> PairedOutcomes:
    return PairedOutcomes(
        scores=pool.scores[rows],
        edge_q=pool.edge_q[rows],
        cloud_q=pool.cloud_q[rows],
        quality_range=pool.quality_range,
    )


def _lowest(under: NDArray[np.bool_]) -> Counts:
    """The lowest place under the limit, gaps or not; all-cloud where there is none."""
    return np.where(under.any(axis=-1), np.argmax(under, axis=-1), _TOP)


def _above(place: Counts, values: Floats) -> Floats:
    """Sums of values at or above each place of the lattice, over the last axis."""
    flat = place.reshape(-1, place.shape[-1])
    cells = flat + np.arange(len(flat))[:, None] * _TOP
    summed = np.bincount(cells.ravel(), weights=values.ravel(), minlength=len(flat) * _TOP)
    shaped = np.asarray(summed, dtype=np.float64).reshape(*place.shape[:-1], _TOP)
    return np.cumsum(shaped[..., ::-1], axis=-1)[..., ::-1]


_TITLES = (
    *("pair", "pool", "q", "n", "alpha", "point: broken", "adv."),
    *("normal: broken", "adv.", "**ours: broken**", "adv.", "kept"),
)


def print_row(row: Row) -> None:
    """One line of the table, as soon as it is known."""
    cells = [row.pair, f"{row.pool:,}", row.kind, f"{row.n:,}", f"{row.alpha:.0%}"]
    for way in (row.point, row.normal, row.ours):
        advantage = "infeasible" if way.nothing > 0.5 else f"{way.advantage:.1%}"
        cells += [f"{way.broken:.1%}", advantage]
    cells.append("" if row.kept is None else f"{row.kept:.0%}")
    print("| " + " | ".join(cells) + " |", flush=True)


def show(rows: Sequence[Row]) -> None:
    """What the table comes to."""
    print(f"\nColumns: {', '.join(_TITLES)}")
    worst = max(rows, key=lambda row: row.ours.broken)
    over = sum(row.ours.broken > row.limit for row in rows)
    print(
        f"ours broke its limit in at most {worst.ours.broken:.1%} of {RUNS} draws; over delta + 2 "
        f"SE ({rows[0].limit:.1%}): {over} of {len(rows)} rows"
    )
    kept = [row.kept for row in rows if row.kept is not None]
    if kept:
        print(f"kept of the normal approximation's cost advantage, least: {min(kept):.0%}")
    for name in ("point", "normal"):
        broken = [getattr(row, name).broken for row in rows]
        above = sum(value > rows[0].limit for value in broken)
        print(f"{name}: broken in up to {max(broken):.1%}; over delta + 2 SE: {above} rows")


if __name__ == "__main__":
    main()
