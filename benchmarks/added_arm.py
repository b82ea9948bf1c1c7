"""How many outcomes of a new arm reach what a full fit of it reaches, on RouterDC's records.

Six of its seven models are a pool by ridge on six tenths of the train rows, by prompt hash. The
seventh is added from a few of its outcomes on the other rows, which the pool has not seen, drawn at
random; the pool then routes the test rows by the largest estimate. The full fit is that of all
seven on the pool's rows. ``python -m benchmarks.added_arm --data FOLDER`` prints a line for each
arm: means in per cent, a star where the 95 % interval of the difference from the full fit, paired
by test row, holds 0 or lies above it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COUNTS = (50, 100, 200, 400, 800, 1600)
DRAWS = 5
FITTED_TENTHS = 6
_Z95 = 1.96


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Records:
    """Train rows, which of them the pool is fitted on, and each test set's states and qualities."""

    states: Floats
    quality: Floats
    fitted: NDArray[np.bool_]
    tests: list[tuple[Floats, Floats]]


def main() -> None:
    from hybridroute.edge_runtime.model_store import cache_folder
    from hybridroute.training.pool.frozen_encoder import frozen_encoder
    from hybridroute.training.pool.score_table import ScoreTable
    from hybridroute.training.readers import read_outcomes

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="Holds routerdc/*.json.")
    parser.add_argument("--max-tokens", type=int, default=128)
    given = parser.parse_args()
    folder = given.data / "routerdc"
    train = ScoreTable.of(read_outcomes(sorted(folder.glob("*train.json"))).deduplicated().table)
    tests = [
        ScoreTable.of(read_outcomes([file]), train.arms)
        for file in sorted(folder.glob("*test.json"))
    ]
    embedder = frozen_encoder("minilm", max_tokens=given.max_tokens).embedder(
        cache=cache_folder() / "states"
    )
    records = Records(
        states=embedder.states(train.texts).astype(np.float64),
        quality=train.quality,
        fitted=np.array([int(one, 16) % 10 < FITTED_TENTHS for one in train.hashes]),
        tests=[(embedder.states(one.texts).astype(np.float64), one.quality) for one in tests],
    )
    print(f"{records.fitted.sum()} rows fitted, outcomes from the other {(~records.fitted).sum()};")
    print(f"mean over {len(tests)} test sets, {DRAWS} draws")
    print("| new arm | without it | " + " | ".join(map(str, COUNTS)) + " | full fit |")
    for at, arm in enumerate(train.arms):
        print(f"| {arm} | " + " | ".join(_reached(at, records)) + " |", flush=True)


def _reached(at: int, records: Records) -> list[str]:
    """The routed mean without the arm, from each number of outcomes, and of the full fit."""
    from hybridroute.training.pool.new_column import fit_column
    from hybridroute.training.pool.ridge_solution import ridge_solution

    states, quality = records.states, records.quality
    others = [arm for arm in range(quality.shape[1]) if arm != at]
    full = ridge_solution(states[records.fitted], quality[records.fitted])
    pool = ridge_solution(
        states[records.fitted], quality[records.fitted][:, others], alphas=[full.alpha]
    )
    known = pool.predicted(states)
    there = [pool.predicted(held) for held, _ in records.tests]
    unseen = np.flatnonzero(~records.fitted)
    best = _routed([full.predicted(held) for held, _ in records.tests], records.tests)
    order = [*others, at]
    ordered = [(held, judged[:, order]) for held, judged in records.tests]
    found = [_shown(_routed(there, ordered), best)]
    for count in COUNTS:
        draws = []
        for draw in range(DRAWS):
            rows = np.random.default_rng([draw, count]).choice(unseen, count, replace=False)
            column = fit_column(states[rows], known[rows], quality[rows, at], others)
            estimates = [
                np.hstack([held, column.predicted(state, held)])
                for held, (state, _) in zip(there, records.tests, strict=True)
            ]
            draws.append(_routed(estimates, ordered))
        found.append(_shown([np.mean(rows, axis=0) for rows in zip(*draws, strict=True)], best))
    return [*found, f"{100.0 * _mean(best):.2f}"]


def _routed(estimates: list[Floats], tests: list[tuple[Floats, Floats]]) -> list[Floats]:
    """The quality of every test row's choice, a set each."""
    return [
        quality[np.arange(len(quality)), held.argmax(axis=1)]
        for held, (_, quality) in zip(estimates, tests, strict=True)
    ]


def _mean(sets: list[Floats]) -> float:
    return float(np.mean([rows.mean() for rows in sets]))


def _shown(sets: list[Floats], best: list[Floats]) -> str:
    off = [rows - full for rows, full in zip(sets, best, strict=True)]
    error = np.sqrt(sum(rows.var(ddof=1) / len(rows) for rows in off)) / len(off)
    star = "*" if _mean(off) + _Z95 * error >= 0.0 else ""
    return f"{100.0 * _mean(sets):.2f}{star}"


if __name__ == "__main__":
    main()
