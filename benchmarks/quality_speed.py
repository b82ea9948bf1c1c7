"""Labelling: BERTScore batched by length beside one by one, and the search for t* at full size."""

from __future__ import annotations

import json
import logging
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
    """Both, in one table; CPU time, which other programs on the machine disturb least."""
    model = _model()
    rows, ratios = [], []
    for words in ((1, 12), (1, 40), (20, 60), (1, 80)):
        one, batched, most = _bertscore(model, *words)
        ratios.append(one / batched)
        rows.append(
            (
                f"BERTScore, {PROMPTS * SAMPLES} responses of {words[0]} to {words[1]} words",
                f"{batched:.0f} ms",
                f"{one:.0f} ms",
                f"{one / batched:.1f} times as fast; scores differ by {most:.0e} at most",
            )
        )
    best = min((_t_star() for _ in range(ROUNDS)), key=lambda run: run["seconds"])
    rows.append(
        (
            "t*, 100,000 queries x 100 pairs",
            f"{best['seconds']:.2f} s",
            "-",
            f"{best['points']} points, t* = {best['t']:.3f}, {best['megabytes']:.0f} MB in all",
        )
    )
    quick = best["seconds"] < 5.0 and best["megabytes"] < 1000.0 and best["points"] >= 200
    return Report(
        title="labelling, one thread, CPU time",
        header=("", "batched", "one by one", "note"),
        rows=tuple(rows),
        target="BERTScore 3 times as fast at every length; t* in 5 s and 1,000 MB, 200 points",
        reached=quick and min(ratios) >= 3.0,
    )


def _model() -> BertModel:
    import torch
    from transformers.utils.logging import disable_progress_bar

    from hybridroute.training.quality.bertscore import BertModel

    logging.getLogger("transformers").setLevel(logging.ERROR)
    disable_progress_bar()
    torch.set_num_threads(1)
    return BertModel("minilm")


def _bertscore(model: BertModel, shortest: int, longest: int) -> tuple[float, float, float]:
    """Best milliseconds one by one and batched, and by how much the scores differ."""
    responses, references = _texts(shortest, longest)

    def one_by_one() -> list[float]:
        pairs = zip(responses, references, strict=True)
        return [float(model.scorer.score([cand], [ref])[2][0]) for cand, ref in pairs]

    model.compare(responses[:SAMPLES], references[:SAMPLES])
    one, batched = [], []
    for _ in range(ROUNDS):
        start = time.process_time()
        alone = one_by_one()
        middle = time.process_time()
        together = model.compare(responses, references)[:, 2]
        one.append(middle - start)
        batched.append(time.process_time() - middle)
    return min(one) * 1000, min(batched) * 1000, float(abs(together - alone).max())


def _texts(shortest: int, longest: int) -> tuple[list[str], list[str]]:
    """Responses of so many words, ``SAMPLES`` to a reference of half as many."""
    draw, words = random.Random(0), WORDS.split()
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
