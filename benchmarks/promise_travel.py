"""How far a promise travels: calibrated on one kind of queries, realised there and elsewhere.

``python -m benchmarks.promise_travel --data DIR``. The router is fitted on MMLU's train part; the
promise is fitted on 2,000 questions of its test part, drawn by the hash of their prompt; what is
realised is measured on the other questions of that part and on other benchmarks.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.promise_pools import PAIRS, Router, outcomes_of, read
from hybridroute.training.promise.fit import Fitted, fit_promise
from hybridroute.training.promise.outcomes import Limit, PairedOutcomes

PAIR = next(pair for pair in PAIRS if pair.name == "MMLU, Chinese -> Llama 3")
ROWS = 2000
ALPHAS = (0.01, 0.02, 0.05)
ELSEWHERE = {
    "ARC-C": ("routerdc/arc_challenge_train.json", "routerdc/arc_challenge_test.json"),
    "CMMLU": ("routerdc/cmmlu_test.json",),
    "GSM8K": ("routerdc/gsm8k-test.json",),
    "HumanEval": ("routerdc/humaneval_train.json", "routerdc/humaneval_test.json"),
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.promise_travel")
    parser.add_argument("--data", type=Path, required=True, help="the folder of outcome records")
    data = parser.parse_args().data
    router = Router.fit(read(data, PAIR.fit, PAIR.edge, PAIR.cloud), PAIR.edge, PAIR.cloud)
    table = read(data, PAIR.pool, PAIR.edge, PAIR.cloud)
    keys = table.prompt_hashes()
    order = sorted(range(len(keys)), key=keys.__getitem__)
    rows = outcomes_of(router, table.select(order[:ROWS]), PAIR)
    places = {"MMLU, other questions": outcomes_of(router, table.select(order[ROWS:]), PAIR)}
    for name, files in ELSEWHERE.items():
        places[name] = outcomes_of(router, read(data, files, PAIR.edge, PAIR.cloud), PAIR)
    print("| asked | measured on | n | stay on the edge | drop |\n| --- | --- | --- | --- | --- |")
    for alpha in ALPHAS:
        fitted = fit_promise(rows, Limit(max_drop=alpha))
        _row(fitted, "**the calibration rows**", rows)
        for name, held in places.items():
            _row(fitted, name, held)


def _row(fitted: Fitted, name: str, rows: PairedOutcomes) -> None:
    on_edge = rows.scores >= fitted.threshold
    loss = np.where(on_edge, rows.cloud_q - rows.edge_q, 0.0)
    error = loss.std(ddof=1) / np.sqrt(rows.n)
    print(
        f"| {fitted.limit.max_drop:.0%} | {name} | {rows.n:,} | {on_edge.mean():.0%} | "
        f"{loss.mean():.1%} ± {error:.1%} |"
    )


if __name__ == "__main__":
    main()
