"""The fine-tuned estimator: an encoder with one head per arm, fitted as two arms' routers are."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn

from hybridroute.edge_runtime.onnx_scorer import EMBEDDING, ESTIMATES, OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import collate, fit_rows, scoring_batches
from hybridroute.training.device_export import within_limits
from hybridroute.training.encoders import load_encoder
from hybridroute.training.export import to_onnx
from hybridroute.training.fit import fit
from hybridroute.training.fit_config import FitConfig, PoolingKind
from hybridroute.training.fit_seeds import OnStep
from hybridroute.training.parity import INT8, Parity, parity_texts
from hybridroute.training.pool.score_table import ScoreTable
from hybridroute.training.quantize import to_int8
from hybridroute.training.router_model import ExportedModule, StateNetwork, unit_length
from hybridroute.training.targets import QualityScale

Floats = NDArray[np.float64]

_PARITY_TEXTS = 300


class PoolModel(StateNetwork):
    """An encoder with one logit per arm.

    Parameters
    ----------
    encoder : torch.nn.Module
        Gives ``last_hidden_state`` of shape (batch, tokens, width).
    width, arms : int
    pooling : {"mean", "first"}
    """

    def __init__(self, encoder: nn.Module, *, width: int, arms: int, pooling: PoolingKind) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.head = nn.Linear(width, arms)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Logits of shape (batch, arms)."""
        logits: Tensor = self.head(self.states(input_ids, attention_mask))
        return logits


class PoolModule(ExportedModule):
    """What is exported: token ids to qualities (batch, arms) and the state, of unit length."""

    model: PoolModel

    def __init__(self, model: PoolModel, scale: QualityScale) -> None:
        super().__init__()
        self.model = model
        self.low, self.span = scale.low, scale.high - scale.low

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Estimates and states."""
        states = self.model.states(input_ids, attention_mask)
        quality = self.low + self.span * torch.sigmoid(self.model.head(states))
        return quality, unit_length(states)


@dataclass(frozen=True, slots=True, kw_only=True)
class FineTuned:
    """The graph in int8, its tokenizer's file, and how far it lies from torch."""

    graph: bytes
    tokenizer: str
    parity: Parity
    fit_s: float


def fine_tune(
    config: FitConfig,
    fitted: ScoreTable,
    selected: ScoreTable,
    *,
    work: Path,
    on_step: OnStep | None = None,
) -> FineTuned:
    """Fit on one table's rows, keep the weights that route another's best, and export them.

    Parameters
    ----------
    work : Path
        Of the checkpoints; a run that was stopped there goes on.
    on_step : callable, optional
        Called with seed, step, steps in all, loss.

    Raises
    ------
    TrainingError
        If the loss is not finite, every quality is the same, or the exported router disagrees with
        torch.
    """
    begun = time.perf_counter()
    torch.manual_seed(config.seed)
    held = load_encoder(
        config.encoder, position_buckets=config.position_buckets, dropout=config.dropout
    )
    tokenizer = RouterTokenizer(
        Tokenizer.from_str(held.tokenizer_json), max_tokens=config.max_tokens
    )
    model = PoolModel(held.module, width=held.width, arms=len(fitted.arms), pooling=config.pooling)
    known = fitted.quality[~np.isnan(fitted.quality)]
    scale = QualityScale.around(known)
    targets = scale.scaled(fitted.quality).astype(np.float32)

    def routed(now: PoolModel) -> float:
        found = _estimates(PoolModule(now, scale), selected.texts, tokenizer)
        found = np.where(np.isnan(selected.quality), -np.inf, found)
        rows = np.arange(len(found))
        return float(selected.quality[rows, found.argmax(axis=1)].mean())

    rows = fit_rows(fitted.texts, targets, tokenizer)
    best = fit(
        model,
        rows,
        config,
        select=routed,
        folder=work / f"seed-{config.seed}",
        on_step=None if on_step is None else partial(on_step, config.seed),
    ).model
    fit_s = time.perf_counter() - begun
    graph, parity = _exported(PoolModule(best, scale).eval(), tokenizer, selected, scale)
    return FineTuned(graph=graph, tokenizer=tokenizer.to_json(), parity=parity, fit_s=fit_s)


def _exported(
    module: PoolModule, tokenizer: RouterTokenizer, table: ScoreTable, scale: QualityScale
) -> tuple[bytes, Parity]:
    texts = parity_texts(table.texts, n=_PARITY_TEXTS, seed=0)
    reference = scale.scaled(_estimates(module, texts, tokenizer))

    def probe(graph: bytes) -> NDArray[np.float32]:
        found = OnnxScorer(graph, tokenizer, score_kind="quality").estimate(texts)[0]
        return scale.scaled(found.astype(np.float64)).astype(np.float32)

    def measured(graph: bytes) -> Parity:
        off = np.abs(probe(graph) - reference)
        return Parity(
            n=len(texts),
            p50=float(np.median(off)),
            p99=float(np.percentile(off, 99)),
            largest=float(off.max()),
            apgr_moved=0.0,
            rows=len(texts),
        )

    plain = to_onnx(module, max_tokens=tokenizer.max_tokens, outputs=[ESTIMATES, EMBEDDING])
    graph, parity, _ = within_limits(plain, to_int8(plain), measured, probe, lambda _: True)
    parity.check(INT8, "int8")
    return graph, parity


@torch.no_grad()
def _estimates(
    module: PoolModule, texts: tuple[str, ...] | list[str], tokenizer: RouterTokenizer
) -> Floats:
    was_training = module.training
    module.eval()
    rows = fit_rows(texts, np.zeros((len(texts), 1), np.float32), tokenizer)
    found = np.empty((len(texts), module.model.head.out_features))
    for indices in scoring_batches(rows):
        batch = collate(rows, indices)
        found[indices] = module(batch.input_ids, batch.attention_mask)[0].double().numpy()
    module.train(was_training)
    return found
