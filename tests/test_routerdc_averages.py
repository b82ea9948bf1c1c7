"""That RouterDC's records are read right: three averages that are known from elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hybridroute.training.pool.metrics import oracle_quality, random_quality
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.readers.routerdc import read_routerdc

BENCHMARKS = {
    "mmlu_test": "mmlu_train",
    "gsm8k-test": "gsm8k-train",
    "cmmlu_test": "cmmlu_train",
    "arc_challenge_test": "arc_challenge_train",
    "humaneval_test": "humaneval_train",
}


@pytest.mark.data
def test_random_best_single_and_oracle_on_the_five_test_sets() -> None:
    """In percent, a mean over the five; the best single arm by its mean over the train sets.

    MMLU, CMMLU and ARC-C count as right where the score is above 0, GSM8K and HumanEval are pass
    rates, and duplicates stay in.
    """
    root = os.environ.get("HYBRIDROUTE_DATA")
    if not root:
        pytest.skip("HYBRIDROUTE_DATA is unset: no outcome records to read")
    folder = Path(root) / "routerdc"
    tables = {
        name: ScoreTable.of(read_routerdc(folder / f"{name}.json"))
        for pair in BENCHMARKS.items()
        for name in pair
    }
    arms = tables["mmlu_test"].arms
    assert len(arms) == 7
    assert all(table.arms == arms for table in tables.values())
    train = np.mean([tables[name].quality.mean(axis=0) for name in BENCHMARKS.values()], axis=0)
    best = int(train.argmax())
    tests = [tables[name].quality for name in BENCHMARKS]
    average = {
        "random": np.mean([random_quality(held).mean() for held in tests]),
        "best single": np.mean([held[:, best].mean() for held in tests]),
        "oracle": np.mean([oracle_quality(held).mean() for held in tests]),
    }
    assert {name: round(100 * value, 2) for name, value in average.items()} == {
        "random": 47.67,
        "best single": 54.56,
        "oracle": 77.52,
    }
