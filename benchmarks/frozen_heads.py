"""Fitting heads on a frozen encoder: seconds once the texts are embedded, at the size of MMLU."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Report

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


if __name__ == "__main__":
    measure().show()
