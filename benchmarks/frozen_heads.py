"""Fitting heads on a frozen encoder: seconds once the texts are embedded, at the size of MMLU.

``python -m benchmarks.frozen_heads`` takes made-up states. With ``--data FOLDER --edge NAME
--cloud NAME`` the prompts are embedded, and each head is exported too: how far int8 moves its
scores, and what the export had to do about it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Report
from hybridroute.training.outcomes import OutcomeTable

if TYPE_CHECKING:
    from hybridroute.training.candidates import Attempt, Line
    from hybridroute.training.frozen_fit import FrozenFit

ROWS = 6569
WIDTH = 384
LIMIT = 10.0


def measure() -> Report:
    """Each head in CPU time, summed over threads; MiniLM's width, states made up."""
    from hybridroute.training.baselines import LogisticBaseline, NeighbourBaseline, RidgeBaseline

    states, edge_q, cloud_q = _rows()
    labels = (edge_q >= cloud_q).astype(float)
    heads: dict[str, Callable[[], object]] = {
        "ridge, penalty by leaving one out": lambda: RidgeBaseline.fit(states, edge_q, cloud_q),
        "logistic": lambda: LogisticBaseline.fit(states, labels),
        "kNN": lambda: NeighbourBaseline.fit(states, edge_q, cloud_q, k=50, soft=True),
    }
    taken = {name: _seconds(fit) for name, fit in heads.items()}
    return Report(
        title=f"frozen-encoder heads on {ROWS:,} embedded texts, CPU time",
        header=("", "seconds"),
        rows=tuple((name, f"{seconds:.2f}") for name, seconds in taken.items()),
        target=f"all of them under {LIMIT:g} s",
        reached=sum(taken.values()) < LIMIT,
    )


def measure_exports(table: OutcomeTable, edge: str, cloud: str) -> Report:
    """Embed once, then fit and export each head as ``hybridroute train --label det`` does."""
    from hybridroute.training.batches import fit_rows
    from hybridroute.training.candidates import attempts
    from hybridroute.training.fit_config import FitConfig
    from hybridroute.training.frozen_fit import FrozenFit
    from hybridroute.training.pipeline import line_of
    from hybridroute.training.targets import targets_of
    from hybridroute.training.training_plan import TrainingPlan

    config = FitConfig(fit="ridge", label="det", max_tokens=96)
    plan = TrainingPlan(
        outcomes=table,
        edge=edge,
        cloud=cloud,
        config=config,
        out=Path("unwritten"),
        work=Path("unwritten-work"),
        name="",
        fits=("ridge", "logistic", "knn"),
        select=True,
    )
    line = line_of(plan)
    targets = targets_of(
        line.split.fit, edge, cloud, kind="det", scale=line.scale, seed=plan.split_seed
    ).values
    rows = fit_rows(line.split.fit.texts(), targets, line.tokenizer)
    start = time.perf_counter()
    frozen = FrozenFit(config, rows, max_bytes=plan.max_bytes)
    embedded = time.perf_counter() - start
    measured = [
        _measured(attempt, line, frozen, targets)
        for attempt in attempts(line, on_step=None, frozen=frozen)
    ]
    return Report(
        title=f"frozen heads on {len(rows):,} prompts, embedded in {embedded:.0f} s",
        header=("", "fit", "export", "int8 p99, max", "APGR moved", "fp32 products", "MB"),
        rows=tuple(row for row, _ in measured),
        target=f"each fitted in under {LIMIT:g} s, and exported in int8",
        reached=max(seconds for _, seconds in measured) < LIMIT,
    )


def _measured(
    attempt: Attempt, line: Line, frozen: FrozenFit, targets: NDArray[np.float32]
) -> tuple[tuple[str, ...], float]:
    """One head's row, and the seconds of its fit."""
    from hybridroute.training.candidates import exported

    start = time.perf_counter()
    frozen.head(attempt.config, targets)
    fitted = time.perf_counter() - start
    candidate = attempt.fit()
    start = time.perf_counter()
    device = exported(line, candidate)
    row = (
        attempt.name,
        f"{fitted:.2f} s",
        f"{time.perf_counter() - start:.0f} s",
        f"{device.parity.p99:.4f}, {device.parity.largest:.4f}",
        f"{device.parity.apgr_moved:.4f}",
        str(len(device.kept_fp32)),
        f"{len(device.onnx) / 1e6:.1f}",
    )
    return row, fitted


def _rows() -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
    """States of a few hundred directions, and outcomes that depend on them a little."""
    draw = np.random.default_rng(0)
    states = draw.standard_normal((ROWS, WIDTH)).astype(np.float32) + 0.5
    hard = states @ draw.standard_normal(WIDTH) / np.sqrt(WIDTH)
    edge_q = (draw.standard_normal(ROWS) > hard - 0.4).astype(float)
    cloud_q = (draw.random(ROWS) < 0.8).astype(float)
    return states, edge_q, cloud_q


def _seconds(fit: Callable[[], object]) -> float:
    start = time.process_time()
    fit()
    return time.process_time() - start


def main() -> None:
    from hybridroute.training.readers import read_outcomes

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", help="outcome files or folders")
    parser.add_argument("--edge")
    parser.add_argument("--cloud")
    given = parser.parse_args()
    if given.data and not (given.edge and given.cloud):
        parser.error("--data needs --edge and --cloud")
    if given.data:
        measure_exports(read_outcomes(given.data), given.edge, given.cloud).show()
    else:
        measure().show()


if __name__ == "__main__":
    main()
