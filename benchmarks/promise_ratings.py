"""Promises from ratings of the arm that answered: how often they break, what they allow.

``python -m benchmarks.promise_ratings --data DIR``. The pair's pool is the population, as in
benchmarks/promise.py, and its own mean the truth. Queries are drawn with replacement; the edge
answers where its score is above the pool's median, but for a share that goes to an arm drawn at
random; the rating is the recorded quality of the arm that answered, and of no other.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.promise_pools import PAIRS, fitted, outcomes_of
from hybridroute.training.promise.fit import fit_promise
from hybridroute.training.promise.outcomes import LATTICE, Limit, PairedOutcomes
from hybridroute.training.promise.rated import Seen, WeightedOutcomes, weighted, worst_case
from hybridroute.training.promise.search import passes

NAMES = (
    "RouteLLM MMLU, Mixtral -> GPT-4",
    "MMLU, MetaMath -> Llama 3",
    "GSM8K, Llama 3 -> Dolphin 2.9",
)
SHARES = (0.0, 0.1, 0.3)
SIZES = (5_000, 20_000)
ALPHA, CONFIDENCE = 0.05, 0.9
_TITLES = "pair | exploration | ratings | broken | edge share | infeasible | bound missed"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.promise_ratings")
    parser.add_argument("--data", type=Path, required=True, help="the folder of outcome records")
    parser.add_argument("--runs", type=int, default=200)
    held = parser.parse_args()
    print(f"| {_TITLES} |\n|{' --- |' * 7}")
    for pair in PAIRS:
        if pair.name in NAMES:
            pool = outcomes_of(*fitted(held.data, pair), pair)
            for share in SHARES:
                for n in SIZES:
                    _row(pair.name, pool, share, n, held.runs)


def _row(name: str, pool: PairedOutcomes, share: float, n: int, runs: int) -> None:
    draw = np.random.default_rng(n)
    middle = float(np.median(pool.scores))
    limit = Limit(max_drop=ALPHA, confidence=CONFIDENCE)
    place = int(np.searchsorted(LATTICE, middle))
    truth_there = float(np.where(pool.place >= place, pool.loss, 0.0).mean())
    broken, kept, nothing, missed = 0, 0.0, 0, 0
    for _ in range(runs):
        rows = _drawn(pool, share, n, middle, draw)
        found = fit_promise(rows, limit, quick=True)
        on_edge = pool.scores >= found.threshold
        broken += float(np.where(on_edge, pool.loss, 0.0).mean()) > ALPHA
        kept += float(on_edge.mean())
        nothing += not found.feasible
        # At a threshold fixed beforehand: the bound lies below the truth iff this test passes.
        missed += passes(rows, replace(limit, max_drop=max(truth_there, 1e-6)), place)
    cells = (f"{broken / runs:.1%}", f"{kept / runs:.1%}", f"{nothing / runs:.0%}")
    print(
        f"| {name} | {share:.0%} | {n:,} | {' | '.join(cells)} | {missed / runs:.1%} |", flush=True
    )


def _drawn(
    pool: PairedOutcomes, share: float, n: int, middle: float, draw: np.random.Generator
) -> WeightedOutcomes:
    at = draw.integers(0, pool.n, n)
    scores, below = pool.scores[at], pool.scores[at] < middle
    on_cloud = np.where(draw.random(n) < share, draw.random(n) < 0.5, below)
    seen = Seen(
        scores=scores,
        quality=np.where(on_cloud, pool.cloud_q[at], pool.edge_q[at]),
        chance=np.where(on_cloud == below, 1.0 - share / 2.0, share / 2.0),
        on_cloud=on_cloud,
    )
    return weighted(seen) if share else worst_case(seen)


if __name__ == "__main__":
    main()
