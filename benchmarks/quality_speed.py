"""Labelling: BERTScore batched by length beside one by one, and the search for t* at full size."""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys

from benchmarks.rounds import interleaved
from benchmarks.table import Report

PROMPTS = 24
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
start = time.perf_counter()
found = best_shift(rows, gaps, counts)
seconds = time.perf_counter() - start
unit = 1e6 if sys.platform == "darwin" else 1e3
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
held = {"seconds": seconds, "megabytes": peak, "points": len(found.curve), "t": found.t}
print(json.dumps(held))
"""


def measure() -> Report:
    """Both, in one table."""
    one, batched, most = _bertscore()
    found = [_t_star() for _ in range(ROUNDS)]
    best = min(found, key=lambda run: run["seconds"])
    ratio = one / batched
    reached = ratio >= 3.0 and best["seconds"] < 5.0 and best["megabytes"] < 1000.0
    return Report(
        title="labelling, one thread",
        header=("", "time", "memory", "note"),
        rows=(
            (
                f"BERTScore, {PROMPTS * SAMPLES} responses, one by one",
                f"{one:.0f} ms",
                "-",
                f"{PROMPTS * SAMPLES / one * 1000:.0f} a second",
            ),
            (
                "BERTScore, batched by length",
                f"{batched:.0f} ms",
                "-",
                f"{ratio:.1f} times as fast; scores differ by {most:.1e} at most",
            ),
            (
                "t*, 100,000 queries x 100 pairs",
                f"{best['seconds']:.2f} s",
                f"{best['megabytes']:.0f} MB",
                f"{best['points']} points tried, t* = {best['t']:.3f}; memory of the whole process",
            ),
        ),
        target="BERTScore at least 3 times as fast; t* under 5 s and 1,000 MB with 200 points",
        reached=reached and best["points"] >= 200,
    )


def _bertscore() -> tuple[float, float, float]:
    """Best milliseconds one by one and batched, and by how much the scores differ."""
    import torch
    from transformers.utils.logging import disable_progress_bar

    from hybridroute.training.quality.bertscore import BertModel

    logging.getLogger("transformers").setLevel(logging.ERROR)
    disable_progress_bar()
    torch.set_num_threads(1)
    model = BertModel("minilm")
    responses, references = _texts()
    scorer = model.scorer

    def one_by_one() -> list[float]:
        pairs = zip(responses, references, strict=True)
        return [float(scorer.score([cand], [ref])[2][0]) for cand, ref in pairs]

    times = interleaved(
        {"one": one_by_one, "batched": lambda: model.compare(responses, references)},
        rounds=ROUNDS,
    )
    gaps = abs(model.compare(responses, references)[:, 2] - one_by_one())
    return times["one"].best, times["batched"].best, float(gaps.max())


def _texts() -> tuple[list[str], list[str]]:
    """Responses of 4 to 80 words, ``SAMPLES`` to a reference of 1 to 40."""
    draw, words = random.Random(0), WORDS.split()
    responses, references = [], []
    for _ in range(PROMPTS):
        reference = " ".join(draw.choices(words, k=draw.randint(1, 40)))
        for _ in range(SAMPLES):
            responses.append(" ".join(draw.choices(words, k=draw.randint(4, 80))))
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
