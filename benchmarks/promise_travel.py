"""How far promises and dial settings travel: calibrated on one kind of queries, realised elsewhere.

``python -m benchmarks.promise_travel --data DIR``. The router is fitted on MMLU's train part; the
promises and the dial's table are fitted on 2,000 questions of its test part, drawn by the hash of
their prompt; what is realised is measured on the other questions of that part and on other
benchmarks.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.promise_pools import PAIRS, Router, outcomes_of, read
from hybridroute.edge_runtime.grid import grid_up
from hybridroute.training.calibrate import calibrate
from hybridroute.training.curve import standard_error
from hybridroute.training.promise.bounds import drop_bounds
from hybridroute.training.promise.fit import fit_promise
from hybridroute.training.promise.outcomes import Limit, PairedOutcomes

PAIR = next(pair for pair in PAIRS if pair.name == "MMLU, Chinese -> Llama 3")
ROWS = 2000
ALPHAS = (0.01, 0.02, 0.05)
DIALS = (0.25, 0.5, 0.75, 0.9)
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
    held = {"**the calibration rows**": rows, **places}
    _promises(rows, held)
    _dials(rows, held)


def _promises(rows: PairedOutcomes, places: Mapping[str, PairedOutcomes]) -> None:
    print("| asked | measured on | n | stay on the edge | drop |\n| --- | --- | --- | --- | --- |")
    for alpha in ALPHAS:
        threshold = fit_promise(rows, Limit(max_drop=alpha)).threshold
        for name, held in places.items():
            print(f"| {alpha:.0%} | {_realised(threshold, name, held)} |")


def _dials(rows: PairedOutcomes, places: Mapping[str, PairedOutcomes]) -> None:
    """Recovered is (q_routed - q_edge) / (q_cloud - q_edge): what the dial asks for, nearly."""
    print("\n| dial | measured on | n | stay on the edge | drop | bound | gap | recovered |")
    print(f"|{' --- |' * 8}")
    table = calibrate(rows.scores, rows.edge_q, rows.cloud_q, "calibration rows").dial
    for dial in DIALS:
        threshold = table.thresholds[grid_up(dial)]
        bound = float(drop_bounds(rows, [threshold], Limit(max_drop=ALPHAS[0]))[0])
        for name, held in places.items():
            shown = f"{bound:.1%}" if held is rows else ""
            cells = (_realised(threshold, name, held), shown, *_recovered(threshold, held))
            print(f"| {dial:g} | {' | '.join(cells)} |")


def _realised(threshold: float, name: str, rows: PairedOutcomes) -> str:
    on_edge = rows.scores >= threshold
    loss = np.where(on_edge, rows.loss, 0.0)
    error = loss.std(ddof=1) / np.sqrt(rows.n)
    return f"{name} | {rows.n:,} | {on_edge.mean():.0%} | {loss.mean():.1%} ± {error:.1%}"


def _recovered(threshold: float, rows: PairedOutcomes) -> tuple[str, str]:
    """The gap, and the share of it that is recovered where it is above two standard errors."""
    gap, error = float(rows.loss.mean()), standard_error(rows.loss)
    lost = float(np.where(rows.scores >= threshold, rows.loss, 0.0).mean())
    return f"{gap:.1%} ± {error:.1%}", f"{1.0 - lost / gap:.0%}" if gap > 2.0 * error else "-"


if __name__ == "__main__":
    main()
