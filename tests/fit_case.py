"""Rows and a small model for tests of the fit: an embedding in place of the encoder."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch

from hybridroute.training.batches import FitRows
from hybridroute.training.fit import evidence_of
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.router_model import RouterModel

CONFIG = FitConfig(
    encoder="words", heads="arms", epochs=3, batch_size=4, learning_rate=0.05, dropout=0.2, seed=3
)


class Words(torch.nn.Module):
    """Embeddings with dropout: random state matters, as in a real encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(20, 8)
        self.dropout = torch.nn.Dropout(0.2)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.dropout(self.embedding(input_ids)))


def model(config: FitConfig = CONFIG) -> RouterModel:
    torch.manual_seed(config.seed)
    return RouterModel(Words(), width=8, heads=config.heads, pooling="mean")


def rows(n: int = 60, *, soft: bool = False) -> FitRows:
    """Token 1 among the ids: the edge fails. Soft labels are .9 and .2."""
    random = np.random.default_rng(0)
    ids, targets = [], []
    for _ in range(n):
        hard = random.random() < 0.5
        ids.append((1 if hard else 2, *random.integers(3, 20, size=random.integers(1, 6)).tolist()))
        edge = (0.2 if hard else 0.9) if soft else float(not hard)
        targets.append((edge, 1.0, edge))
    return FitRows(token_ids=tuple(ids), targets=np.array(targets, dtype=np.float32))


def agreement(found: RouterModel) -> float:
    """A selection value: how far the evidence sets easy rows above hard ones."""
    held = rows()
    evidence = evidence_of(found, held)
    easy = held.targets[:, 2] > 0.5
    return float(evidence[easy].mean() - evidence[~easy].mean())
