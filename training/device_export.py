"""A fitted model -> the ONNX bytes that the device will run, checked against torch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import collate, fit_rows, scoring_batches
from hybridroute.training.export import to_onnx
from hybridroute.training.fit_config import WeightKind
from hybridroute.training.held_weights import hold_in_int8
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.parity import FP32, INT8, STEPPED, Parity, parity_of, parity_texts
from hybridroute.training.quantize import to_int8, weight_products
from hybridroute.training.router_model import ScoringModule, ScoringNetwork
from hybridroute.training.score_map import ScoreMap

logger = logging.getLogger(__name__)

PARITY_TEXTS = 1000
_PROBE_TEXTS = 100
_SURE = 95.0
"""Percentile of the probe's differences: over the 99th's limit, the 99th of all is surely, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceModel:
    """The graph to ship, and how far it lies from torch.

    ``kept_fp32`` names the products computed in fp32, from int8 weights, to stay within the limits.
    """

    onnx: bytes
    weights: WeightKind
    parity: Parity
    fp32_parity: Parity
    kept_fp32: tuple[str, ...]


def export_for_device(
    model: ScoringNetwork,
    score_map: ScoreMap,
    tokenizer: RouterTokenizer,
    *,
    rows: OutcomeTable,
    edge: str,
    cloud: str,
    weights: WeightKind,
    max_bytes: int,
    seed: int,
) -> DeviceModel:
    """Export, quantise, and refuse what does not agree with torch.

    Where plain int8 breaks a limit, the products that disturb the scores most are computed in fp32
    from weights that stay in int8: first one of them, then twice as many each time.

    Parameters
    ----------
    rows : OutcomeTable
        Labelled rows; APGR may hardly move on them.
    max_bytes : int
        Of the int8 graph; a larger one is a warning in the log.

    Raises
    ------
    TrainingError
        If the exported router disagrees with torch by more than the limits of parity.py.
    """
    scoring = ScoringModule(model, slope=score_map.slope, offset=score_map.offset).eval()
    texts = parity_texts(rows.texts(), n=PARITY_TEXTS, seed=seed)
    reference = torch_scores(scoring, texts, tokenizer)
    row_reference = torch_scores(scoring, rows.texts(), tokenizer)

    def measured(graph: bytes) -> Parity:
        scorer = OnnxScorer(graph, tokenizer, score_kind=model.score_kind)
        return parity_of(
            reference,
            scorer.score(texts),
            row_reference=row_reference,
            row_exported=scorer.score(rows.texts()),
            edge_q=rows.mean_quality(edge),
            cloud_q=rows.mean_quality(cloud),
        )

    plain = to_onnx(scoring, max_tokens=tokenizer.max_tokens)
    fp32_parity = measured(plain)
    fp32_parity.check(FP32 if model.continuous else STEPPED, "fp32")
    if weights == "fp32":
        return DeviceModel(
            onnx=plain, weights="fp32", parity=fp32_parity, fp32_parity=fp32_parity, kept_fp32=()
        )

    def probe(graph: bytes) -> NDArray[np.float32]:
        scorer = OnnxScorer(graph, tokenizer, score_kind=model.score_kind)
        return scorer.score(texts[:_PROBE_TEXTS])

    def may_hold(graph: bytes) -> bool:
        off = np.abs(probe(graph) - reference[:_PROBE_TEXTS])
        return float(np.percentile(off, _SURE)) <= INT8.p99

    small = to_int8(plain)
    if len(small) > max_bytes:
        logger.warning("the int8 graph has %d bytes, over %d", len(small), max_bytes)
    graph, parity, kept = within_limits(plain, small, measured, probe, may_hold)
    parity.check(INT8, "int8")
    if kept:
        logger.info("%d products hold int8 weights and compute in fp32", len(kept))
    return DeviceModel(
        onnx=graph, weights="int8", parity=parity, fp32_parity=fp32_parity, kept_fp32=kept
    )


def within_limits(
    plain: bytes,
    small: bytes,
    measured: Callable[[bytes], Parity],
    probe: Callable[[bytes], NDArray[np.float32]],
    may_hold: Callable[[bytes], bool],
) -> tuple[bytes, Parity, tuple[str, ...]]:
    """The first of ever more accurate graphs that keeps the limits; else the most accurate one.

    A graph that a few texts already rule out is not measured on all.
    """
    graph = small
    kept: tuple[str, ...] = ()
    order: list[str] | None = None
    while True:
        parity = measured(graph) if may_hold(graph) else None
        if parity is not None and not parity.breaches(INT8):
            return graph, parity, kept
        order = _most_disturbing(plain, probe) if order is None else order
        if len(kept) == len(order):
            return graph, parity or measured(graph), kept
        kept = tuple(order[: max(1, 2 * len(kept))])
        graph = to_int8(hold_in_int8(plain, kept))


def _most_disturbing(plain: bytes, probe: Callable[[bytes], NDArray[np.float32]]) -> list[str]:
    """The weight products, by how much leaving each one in fp32 brings the scores back."""
    target = probe(plain)
    off = {
        name: float(np.square(probe(to_int8(plain, keep=[name])) - target).mean())
        for name in weight_products(plain)
    }
    return sorted(off, key=lambda name: off[name])


@torch.no_grad()
def torch_scores(
    scoring: ScoringModule, texts: Sequence[str], tokenizer: RouterTokenizer
) -> NDArray[np.float32]:
    """Scores of shape (n,) by the torch model, from the device's own tokens."""
    scoring.eval()
    rows = fit_rows(texts, np.zeros((len(texts), 3), np.float32), tokenizer)
    found = np.empty(len(rows), dtype=np.float32)
    for indices in scoring_batches(rows):
        batch = collate(rows, indices)
        found[indices] = scoring(batch.input_ids, batch.attention_mask).numpy()
    return found
