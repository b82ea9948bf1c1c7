"""How often a calibrated limit on the quality drop is broken, and what it costs to keep it.

``python -m benchmarks.promise --data DIR`` prints docs/promise.md's tables. A pair's held-out pool
is the population and its own mean the truth. From it n rows are drawn with replacement; the
threshold is chosen on them by the point estimate (Hybrid LLM, section 4.5: the largest cost
advantage whose mean drop is under the limit), by the normal approximation, and by ours; the last
two test thresholds in the same order. A choice breaks the limit if the pool's drop there is above.
Relative drops are over the mean quality of all-cloud: what is tested is whether the mean of
q_routed - (1 - alpha) q_cloud is at least 0.
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
from hybridroute.edge_runtime.promises import PromiseKind
from hybridroute.training.promise.outcomes import LATTICE, Limit, PairedOutcomes
from hybridroute.training.promise.search import first_refusal, relative_level, search
from hybridroute.training.promise.three_valued import CriticalValues, critical_values

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

ALPHAS = (0.01, 0.02, 0.05)
SIZES = {500: 500, 2000: 3000}
"""Rows drawn, and the least pool they are drawn from."""
DROPS: tuple[PromiseKind, ...] = ("absolute", "relative")
CONFIDENCE = 0.9
_CHUNK = 100
_TOP = len(LATTICE)
_Z = NormalDist().inv_cdf(CONFIDENCE)


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
    drop: PromiseKind
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
        speaks = self.n == 2000 and self.alpha == 0.05 and self.point.advantage >= 0.2
        return self.ours.advantage / self.normal.advantage if speaks else None


RUNS = 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.promise", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder of outcome records")
    parser.add_argument("--only", help="pairs whose name holds this")
    parser.add_argument("--drop", choices=DROPS, help="only these drops")
    held = parser.parse_args()
    print(f"| {' | '.join(_TITLES)} |\n|{' --- |' * len(_TITLES)}", flush=True)
    rows = [
        row
        for pair in PAIRS
        if held.only is None or held.only in pair.name
        for row in measured(pair.name, outcomes_of(*fitted(held.data, pair), pair), held.drop)
    ]
    show(rows)


def measured(name: str, pool: PairedOutcomes, only: PromiseKind | None = None) -> list[Row]:
    """Every size the pool is large enough for, with every limit."""
    drop = np.append(_above(pool.place, pool.loss), 0.0) / pool.n
    share = np.append(_above(pool.place, np.ones(pool.n)), 0.0) / pool.n
    rows = []
    for n, least in SIZES.items():
        if pool.n < least:
            continue
        for kind in DROPS if only is None else (only,):
            unit = float(pool.cloud_q.mean()) if kind == "relative" else 1.0
            chosen = _chosen(pool, n, kind)
            for alpha in ALPHAS:
                point, normal, ours = (
                    Draws.of(places, drop / unit, share, alpha) for places in chosen[alpha]
                )
                rows.append(
                    Row(
                        pair=name,
                        pool=pool.n,
                        kind="0/1" if pool.two_valued else "fractions",
                        n=n,
                        drop=kind,
                        alpha=alpha,
                        point=point,
                        normal=normal,
                        ours=ours,
                    )
                )
                print_row(rows[-1])
    return rows


def _chosen(
    pool: PairedOutcomes, n: int, kind: PromiseKind
) -> dict[float, tuple[Counts, Counts, Counts]]:
    """For each limit the places chosen by the three ways, each of shape (RUNS,)."""
    draw = np.random.default_rng(n)
    ours = {alpha: _Ours(pool, n, Limit(max_drop=alpha, kind=kind)) for alpha in ALPHAS}
    found: dict[float, list[list[Counts]]] = {alpha: [[], [], []] for alpha in ALPHAS}
    for _ in range(0, RUNS, _CHUNK):
        drawn = draw.integers(0, pool.n, (_CHUNK, n))
        for alpha in ALPHAS:
            mean, error = _tested(pool, drawn, alpha, kind)
            ways = found[alpha]
            ways[0].append(_lowest(mean <= 0.0))
            ways[1].append(first_refusal(mean + _Z * error <= 0.0))
            ways[2].append(ours[alpha].places(drawn))
    return {
        alpha: (np.concatenate(a), np.concatenate(b), np.concatenate(c))
        for alpha, (a, b, c) in found.items()
    }


def _tested(
    pool: PairedOutcomes, drawn: Counts, alpha: float, kind: PromiseKind
) -> tuple[Floats, Floats]:
    """Mean and standard error of what is to be at most 0 at each threshold."""
    place, loss = pool.place[drawn], pool.loss[drawn]
    allowed = alpha * (pool.cloud_q[drawn] if kind == "relative" else np.ones(drawn.shape))
    less = allowed.mean(axis=-1)[:, None]
    n = drawn.shape[1]
    squares = _above(place, loss * (loss - 2.0 * allowed)) / n
    squares += (allowed**2).mean(axis=-1)[:, None]
    mean = _above(place, loss) / n - less
    return mean, np.sqrt(np.maximum(squares - mean**2, 0.0) / n)


class _Ours:
    """Our choices for many draws: what ``search`` does, its tables made once."""

    def __init__(self, pool: PairedOutcomes, n: int, limit: Limit) -> None:
        self._pool, self._n, self._limit = pool, n, limit
        self._most = int(n * min(1.0, 1.2 * float(np.mean(pool.loss != 0.0)) + 0.05))
        self._tables: dict[int, CriticalValues] = {}

    def places(self, drawn: Counts) -> Counts:
        """The place chosen in each draw."""
        pool = self._pool
        if not pool.two_valued:
            picked = (_picked(pool, rows) for rows in drawn)
            return np.array([search(rows, self._limit).place for rows in picked])
        loss, place = pool.loss[drawn], pool.place[drawn]
        differing, total = _whole(_above(place, loss**2)), _whole(_above(place, loss))
        right = _whole(pool.cloud_q[drawn].sum(axis=-1))
        held = [
            self._table(int(count)).rejects(*sums)
            for count, *sums in zip(right, differing, total, strict=True)
        ]
        return first_refusal(np.array(held))

    def _table(self, right: int) -> CriticalValues:
        level, delta = self._limit.max_drop, self._limit.delta
        key = 0
        if self._limit.kind == "relative":
            level, delta, key = *relative_level(level, right, self._n, delta), right
        if key not in self._tables:
            self._tables[key] = critical_values(self._n, level, delta, most=self._most)
        return self._tables[key]


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
    *("pair", "pool", "q", "n", "drop", "alpha", "point: broken", "adv."),
    *("normal: broken", "adv.", "**ours: broken**", "adv.", "kept"),
)


def print_row(row: Row) -> None:
    """One line of the table, as soon as it is known."""
    cells = [row.pair, f"{row.pool:,}", row.kind, f"{row.n:,}", row.drop, f"{row.alpha:.0%}"]
    for way in (row.point, row.normal, row.ours):
        advantage = "infeasible" if way.nothing > 0.5 else f"{way.advantage:.1%}"
        cells += [f"{way.broken:.1%}", advantage]
    cells.append("" if row.kept is None else f"{row.kept:.0%}")
    print("| " + " | ".join(cells) + " |", flush=True)


def show(rows: Sequence[Row]) -> None:
    """What the table comes to."""
    print()
    worst = max(rows, key=lambda row: row.ours.broken)
    over = sum(row.ours.broken > row.limit for row in rows)
    print(
        f"ours broke its limit in at most {worst.ours.broken:.1%} of {RUNS} draws; over delta + 2 "
        f"SE ({rows[0].limit:.1%}): {over} of {len(rows)} rows"
    )
    for kind in DROPS:
        kept = [row.kept for row in rows if row.kept is not None and row.drop == kind]
        if kept:
            print(
                f"{kind}: ours kept {min(kept):.0%} to {max(kept):.0%} of the normal "
                "approximation's cost advantage"
            )
    for name in ("point", "normal"):
        broken = [getattr(row, name).broken for row in rows]
        above = sum(value > rows[0].limit for value in broken)
        print(f"{name}: broken in up to {max(broken):.1%}; over delta + 2 SE: {above} rows")


if __name__ == "__main__":
    main()
