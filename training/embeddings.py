"""Frozen embeddings: pooled states of a pretrained encoder, for baselines and frozen heads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import FitRows, collate, fit_rows, scoring_batches
from hybridroute.training.encoders import Encoder, load_encoder
from hybridroute.training.fit_config import PoolingKind
from hybridroute.training.router_model import pooled_states


def frozen_embeddings(
    texts: Sequence[str], *, encoder: str, max_tokens: int
) -> NDArray[np.float32]:
    """Embeddings of shape (n, width), read with the router's own tokenizer and length."""
    held = load_encoder(encoder, position_buckets=32, dropout=0.0)
    tokenizer = RouterTokenizer(Tokenizer.from_str(held.tokenizer_json), max_tokens=max_tokens)
    rows = fit_rows(texts, np.zeros((len(texts), 3), dtype=np.float32), tokenizer)
    return embeddings_of(held, rows, pooling="mean")


@torch.no_grad()
def embeddings_of(held: Encoder, rows: FitRows, *, pooling: PoolingKind) -> NDArray[np.float32]:
    """Pooled states of tokenized rows, shape (n, width), in evaluation mode."""
    held.module.eval()
    found = np.empty((len(rows), held.width), dtype=np.float32)
    for indices in scoring_batches(rows):
        batch = collate(rows, indices)
        states = pooled_states(held.module, pooling, batch.input_ids, batch.attention_mask)
        found[indices] = states.numpy()
    return found
