"""Labelling: BERTScore batched by length beside one by one, and the search for t* at full size.

One by one is the ``bert-score`` package asked for one pair at a time.
"""

from __future__ import annotations

import json
import logging
import os
import random
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.table import Report

if TYPE_CHECKING:
    from hybridroute.training.quality.bertscore import BertModel

PROMPTS = 12
SAMPLES = 10
ROUNDS = 2
LEAST_RATIO = 3.0
WORDS = (
    "the a small large model answers every question about water light city river history number "
    "because when after before it is was were not only also people work year first sum result "
    "north south energy music paper green train doctor window reason simple often never"
)

T_STAR = """
import json, resource, sys, time
import numpy as np
from hybridroute.training.transform import best_shift
n, pairs = 100_000, 100
draw = np.random.default_rng(0)
edge, cloud = draw.normal(-3.0, 0.5, (n, 10)), draw.normal(-2.6, 0.5, (n, 10))
edge += draw.normal(0.0, 0.5, (n, 1))
cloud += draw.normal(0.0, 0.5, (n, 1))
gaps = (edge[:, :, None] - cloud[:, None, :]).reshape(-1)
rows = np.repeat(np.arange(n), pairs)
counts = np.full(n, pairs)
start = time.process_time()
found = best_shift(rows, gaps, counts)
seconds = time.process_time() - start
unit = 1e6 if sys.platform == "darwin" else 1e3
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
held = {"seconds": seconds, "megabytes": peak, "points": len(found.curve), "t": found.t}
print(json.dumps(held))
"""


def measure() -> Report:
    """Both, in one table: on all cores by the clock, as the command runs; on one in CPU time."""
    model = _model()
    rows, reached = [], True
    for words in ((1, 12), (1, 40), (20, 60), (1, 80)):
        for threads in (os.cpu_count() or 1, 1):
            one, batched, most = _bertscore(model, words, threads)
            reached = reached and (threads == 1 or one / batched >= LEAST_RATIO)
            rows.append(
                (
                    f"BERTScore, {PROMPTS * SAMPLES} responses of {words[0]} to {words[1]} words",
                    f"{threads}, {'CPU time' if threads == 1 else 'by the clock'}",
                    f"{batched:.0f} ms",
                    f"{one:.0f} ms",
                    f"{one / batched:.1f} times as fast; scores differ by {most:.0e} at most",
                )
            )
    best = min((_t_star() for _ in range(ROUNDS)), key=lambda run: run["seconds"])
    rows.append(
        (
            "t*, 100,000 queries x 100 pairs",
            "1, CPU time",
            f"{best['seconds']:.2f} s",
            "-",
            f"{best['points']} points, t* = {best['t']:.3f}, {best['megabytes']:.0f} MB in all",
        )
    )
    quick = best["seconds"] < 5.0 and best["megabytes"] < 1000.0 and best["points"] >= 200
    return Report(
        title="labelling",
        header=("", "threads", "batched", "one by one", "note"),
        rows=tuple(rows),
        target=f"BERTScore {LEAST_RATIO:g} times as fast at every length, by the clock; t* in 5 s "
        "and 1,000 MB, 200 points",
        reached=quick and reached,
    )


def _model() -> BertModel:
    from transformers.utils.logging import disable_progress_bar

    from hybridroute.training.quality.bertscore import BertModel

    logging.getLogger("transformers").setLevel(logging.ERROR)
    disable_progress_bar()
    return BertModel("minilm")


def _bertscore(
    model: BertModel, words: tuple[int, int], threads: int
) -> tuple[float, float, float]:
    """Best milliseconds one by one and batched, and by how much the scores differ."""
    import torch

    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    one, batched, off = [], [], []
    for number in range(ROUNDS + 1):
        responses, references = _texts(*words, seed=number)  # new ones: the model keeps the last
        start = clock()
        pairs = zip(responses, references, strict=True)
        alone = [float(model.scorer.score([cand], [ref])[2][0]) for cand, ref in pairs]
        middle = clock()
        together = model.compare(responses, references)[:, 2]
        if number:
            one.append(middle - start)
            batched.append(clock() - middle)
        off.append(float(abs(together - alone).max()))
    return min(one) * 1000, min(batched) * 1000, max(off)


def _texts(shortest: int, longest: int, *, seed: int) -> tuple[list[str], list[str]]:
    """Responses of so many words, ``SAMPLES`` to a reference of half as many."""
    draw, words = random.Random(seed), WORDS.split()
    responses, references = [], []
    for _ in range(PROMPTS):
        reference = " ".join(draw.choices(words, k=draw.randint(-(-shortest // 2), longest // 2)))
        for _ in range(SAMPLES):
            responses.append(" ".join(draw.choices(words, k=draw.randint(shortest, longest))))
            references.append(reference)
    return responses, references


def _t_star() -> dict[str, float]:
    """In a fresh process, whose peak memory is then the search's own."""
    done = subprocess.run(
        [sys.executable, "-c", T_STAR], check=True, capture_output=True, text=True
    )
    held: dict[str, float] = json.loads(done.stdout)
    return held


if __name__ == "__main__":
    measure().show()
