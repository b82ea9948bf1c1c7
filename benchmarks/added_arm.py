"""How many outcomes of a new arm reach what a full fit of it reaches, on RouterDC's records.

Six of its seven models are a pool by ridge on all train rows. The seventh is added from a few of
its outcomes, drawn at random, and the pool then routes the test rows by the largest estimate.
``python -m benchmarks.added_arm --data FOLDER`` prints a line for each arm and number.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

COUNTS = (50, 100, 200, 400, 800, 1600)
DRAWS = 5


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
    train = ScoreTable.of(read_outcomes(sorted(folder.glob("*train.json"))))
    tests = [
        ScoreTable.of(read_outcomes([file]), train.arms)
        for file in sorted(folder.glob("*test.json"))
    ]
    embedder = frozen_encoder("minilm", max_tokens=given.max_tokens).embedder(
        cache=cache_folder() / "states"
    )
    states = embedder.states(train.texts).astype(np.float64)
    judged = [(embedder.states(one.texts).astype(np.float64), one.quality) for one in tests]
    print(f"{len(train)} train rows; mean over {len(tests)} test sets, {DRAWS} draws")
    print("| new arm | without it | " + " | ".join(map(str, COUNTS)) + " | full fit |")
    for at, arm in enumerate(train.arms):
        found = _reached(at, states, train.quality, judged)
        print(f"| {arm} | " + " | ".join(f"{100.0 * value:.2f}" for value in found) + " |")


def _reached(
    at: int, states: Floats, quality: Floats, judged: list[tuple[Floats, Floats]]
) -> list[float]:
    """The routed mean without the arm, from each number of outcomes, and from all of them."""
    from hybridroute.training.pool.add_arm import fit_column
    from hybridroute.training.pool.ridge_solution import ridge_solution

    others = [arm for arm in range(quality.shape[1]) if arm != at]
    full = ridge_solution(states, quality)
    pool = ridge_solution(states, quality[:, others], alphas=[full.alpha])
    known = pool.predicted(states)

    def routed(columns: list[Floats], order: list[int]) -> float:
        means = []
        for (_, held), estimates in zip(judged, columns, strict=True):
            chosen = np.array(order)[estimates.argmax(axis=1)]
            means.append(held[np.arange(len(held)), chosen].mean())
        return float(np.mean(means))

    found = [routed([pool.predicted(held) for held, _ in judged], others)]
    for count in COUNTS:
        values = []
        for draw in range(DRAWS):
            rows = np.random.default_rng([draw, count]).choice(len(states), count, replace=False)
            column = fit_column(states[rows], known[rows], quality[rows, at], others)
            estimates = []
            for held, _ in judged:
                there = pool.predicted(held)
                new = column.solution.predicted(column.design(held, there))
                estimates.append(np.hstack([there, new]))
            values.append(routed(estimates, [*others, at]))
        found.append(float(np.mean(values)))
    found.append(routed([full.predicted(held) for held, _ in judged], list(range(len(others) + 1))))
    return found


if __name__ == "__main__":
    main()
