"""One query through the router: PyTorch eager, and the same weights as ONNX in fp32 and int8.

A bundle holds no PyTorch weights, so the model timed here is a new one of the same architecture,
exported by the same code as a trained one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer

from benchmarks.rounds import Times, interleaved
from benchmarks.table import Report
from hybridroute.edge_runtime.bundle import Bundle, default_bundle_path
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.encoders import load_encoder
from hybridroute.training.export import to_onnx
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.fit_seeds import new_model
from hybridroute.training.quantize import to_int8
from hybridroute.training.router_model import ScoringModule

THREADS = 2
TOKENS = 32
LONGEST = 128
"""Tokens that the exported graph is made for."""
TARGET = 6.0
REPEATS = 20
TEXT = (
    "A train leaves the station at nine in the morning and travels at sixty miles an hour for two "
    "hours and a half. How far has it travelled by then?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Eager:
    """transformers and PyTorch as they come: tokenize, run, read the score."""

    module: ScoringModule
    tokenizer: RouterTokenizer

    def __call__(self) -> float:
        ids = torch.tensor([self.tokenizer.encode(TEXT).ids])
        with torch.inference_mode():
            return float(self.module(ids, torch.ones_like(ids))[0])


def measure() -> Report:
    """Median and best of 7 rounds, turn by turn."""
    torch.set_num_threads(THREADS)
    config = FitConfig(max_tokens=LONGEST)
    module = ScoringModule(new_model(config), slope=1.0, offset=0.0).eval()
    encoder = load_encoder(config.encoder, position_buckets=config.position_buckets, dropout=0.0)
    tokenizer = RouterTokenizer(Tokenizer.from_str(encoder.tokenizer_json), max_tokens=TOKENS)
    plain = to_onnx(module, max_tokens=config.max_tokens)
    graphs = {"ONNX fp32": plain, "ONNX int8": to_int8(plain)}
    eager = Eager(module=module, tokenizer=tokenizer)
    scorers = {name: _scorer(graph, tokenizer) for name, graph in graphs.items()}
    _check(eager, scorers["ONNX fp32"])
    name = "default bundle (int8)"
    scorers[name] = Bundle.load(default_bundle_path()).scorer(threads=THREADS)
    calls: dict[str, Callable[[], object]] = {"PyTorch eager": eager}
    calls |= {name: _assess(scorer) for name, scorer in scorers.items()}
    times = interleaved(calls, repeats=REPEATS)
    return _report(times, tokens=len(tokenizer.encode(TEXT).ids))


def _scorer(graph: bytes, tokenizer: RouterTokenizer) -> OnnxScorer:
    return OnnxScorer(graph, tokenizer, score_kind="label", threads=THREADS)


def _assess(scorer: OnnxScorer) -> Callable[[], object]:
    return lambda: scorer.assess(TEXT)


def _check(eager: Eager, exported: OnnxScorer) -> None:
    off = abs(eager() - float(np.float64(exported.assess(TEXT).score)))
    if off > 1e-4:
        raise AssertionError(f"the two score {off:.2g} apart: they are not the same model")


def _report(times: dict[str, Times], *, tokens: int) -> Report:
    slow = times["PyTorch eager"]
    rows = tuple(
        (
            name,
            f"{taken.median:.2f} ms",
            f"{taken.best:.2f} ms",
            f"{slow.median / taken.median:.1f}x",
            f"{slow.best / taken.best:.1f}x",
        )
        for name, taken in times.items()
    )
    return Report(
        title=f"Router, one query of {tokens} tokens, {THREADS} threads, text to score",
        header=("", "median of 7", "best of 7", "by median", "by best"),
        rows=rows,
        target=f"int8 at least {TARGET:g} times as fast as PyTorch eager, by the best round",
        reached=slow.best / times["ONNX int8"].best >= TARGET,
    )


if __name__ == "__main__":
    measure().show()
