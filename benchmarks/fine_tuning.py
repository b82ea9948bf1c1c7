"""Fine-tuning the warm-started DeBERTa at the size of RouteLLM's MMLU: seconds a step, and memory.

``python -m benchmarks.fine_tuning --data FOLDER --edge NAME --cloud NAME`` takes some steps of a
fit of 6,500 prompts of up to 96 tokens, validates once, and projects 3 epochs; ``--full`` runs
them. It is a measurement of its own since it needs outcomes of that size.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.table import Report
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import FitRows, fit_rows
from hybridroute.training.fit import fit
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.fit_seeds import SelectionRows, new_model
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.targets import QualityScale, targets_of

ROWS = 6500
VALIDATION = 1625
"""As many to 6,500 as the selection rows, 15 %, are to the fit rows, 60 %."""
LIMIT_MINUTES = 40.0
LIMIT_GB = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One measurement: on what, at how many threads, and after how many steps it stops."""

    table: OutcomeTable
    edge: str
    cloud: str
    threads: int
    steps: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Taken:
    """Seconds of each step after the first, of one validation, and of the whole fit.

    ``cpu_step`` and ``cpu_validation`` are processor seconds of all threads. With one thread they
    are what a core to itself would take by the clock, however busy the machine is.
    """

    steps: np.ndarray
    validation: float
    whole: float
    cpu_step: float
    cpu_validation: float

    def minutes(self, steps: int, validations: int) -> float:
        """What so many of both take by the clock."""
        return (steps * float(self.steps.mean()) + validations * self.validation) / 60.0

    def cpu_minutes(self, steps: int, validations: int) -> float:
        """The same in processor time."""
        return (steps * self.cpu_step + validations * self.cpu_validation) / 60.0


class _Enough(Exception):
    """So many steps as were asked for are done."""


def measure(asked: Asked) -> Report:
    """Steps by the clock, checkpoints included; then one validation, apart."""
    from hybridroute.training.torch_setup import chosen_precision, use_threads

    use_threads(asked.threads)
    config = FitConfig(max_tokens=96, epochs=3, precision=chosen_precision("auto"))
    rows, selection = _rows(asked, config)
    marks: list[float] = []
    cpu: list[float] = []

    def on_step(step: int, _total: int, _loss: float) -> None:
        marks.append(time.perf_counter())
        cpu.append(time.process_time())
        if step == asked.steps:
            raise _Enough

    start = time.perf_counter()
    model = new_model(config)
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(_Enough):
        fit(model, rows, config, select=selection.value, folder=Path(folder), on_step=on_step)
    whole = time.perf_counter() - start
    start, cpu_start = time.perf_counter(), time.process_time()
    selection.value(model)
    taken = Taken(
        steps=np.diff(marks),
        validation=time.perf_counter() - start,
        whole=whole,
        cpu_step=float(np.diff(cpu).mean()),
        cpu_validation=time.process_time() - cpu_start,
    )
    return _report(asked, config, rows, taken)


def _rows(asked: Asked, config: FitConfig) -> tuple[FitRows, SelectionRows]:
    """The fitted rows, and some of the same to validate on: only the time matters here."""
    from tokenizers import Tokenizer

    from hybridroute.training.encoders import load_encoder

    held = load_encoder(config.encoder, position_buckets=config.position_buckets, dropout=0.0)
    tokenizer = RouterTokenizer(
        Tokenizer.from_str(held.tokenizer_json), max_tokens=config.max_tokens
    )
    table = asked.table.with_pair(asked.edge, asked.cloud).table.select(range(ROWS))
    targets = targets_of(
        table,
        asked.edge,
        asked.cloud,
        kind=config.label,
        scale=QualityScale.of(table, asked.edge, asked.cloud),
        seed=0,
    )
    some = table.select(np.random.default_rng(0).permutation(ROWS)[:VALIDATION])
    return (
        fit_rows(table.texts(), targets.values, tokenizer),
        SelectionRows.of(some, asked.edge, asked.cloud, tokenizer),
    )


def _report(asked: Asked, config: FitConfig, rows: FitRows, taken: Taken) -> Report:
    total = config.epochs * -(-len(rows) // (config.batch_size * config.accumulate))
    validations = config.epochs * config.evaluations_per_epoch
    minutes = taken.minutes(total, validations) if asked.steps else taken.whole / 60.0
    how = f"projected from {len(taken.steps)} steps" if asked.steps else "run whole"
    lengths = [len(ids) for ids in rows.token_ids]
    middle, tail = np.percentile(taken.steps, [50, 95])
    peak = _peak_gb()
    busy = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return Report(
        title=f"fine-tuning, {asked.threads} threads, {config.precision}{busy}",
        header=("", "figure"),
        rows=(
            ("prompts; mean tokens", f"{len(rows):,}; {statistics.mean(lengths):.0f}"),
            (f"a step of {config.batch_size}, mean", f"{taken.steps.mean():.2f} s"),
            ("median, 95th percentile", f"{middle:.2f} s, {tail:.2f} s"),
            ("processor time of a step, mean", f"{taken.cpu_step:.2f} s"),
            (
                f"a validation on {VALIDATION:,} prompts, by the clock and in processor time",
                f"{taken.validation:.0f} s, {taken.cpu_validation:.0f} s",
            ),
            (
                f"{config.epochs} epochs: {total:,} steps, {validations} validations",
                f"{minutes:.1f} min, {how}",
            ),
            ("the same in processor time", f"{taken.cpu_minutes(total, validations):.1f} min"),
            ("peak memory", f"{peak:.2f} GB"),
        ),
        target=f"under {LIMIT_MINUTES:g} min and {LIMIT_GB:g} GB",
        reached=minutes < LIMIT_MINUTES and peak < LIMIT_GB,
    )


def _peak_gb() -> float:
    """The largest resident memory of this process so far."""
    import resource

    unit = 1e9 if sys.platform == "darwin" else 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    from transformers.utils.logging import disable_progress_bar

    from hybridroute.training.readers import read_outcomes

    disable_progress_bar()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", required=True, help="outcome files or folders")
    parser.add_argument("--edge", required=True)
    parser.add_argument("--cloud", required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=101, help="after which it stops")
    parser.add_argument("--full", action="store_true", help="run all 3 epochs")
    given = parser.parse_args()
    asked = Asked(
        table=read_outcomes(given.data),
        edge=given.edge,
        cloud=given.cloud,
        threads=given.threads,
        steps=None if given.full else given.steps,
    )
    measure(asked).show()


if __name__ == "__main__":
    main()
