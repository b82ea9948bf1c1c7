"""Frozen embeddings: mean-pooled states of a pretrained encoder, for the baselines."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import collate, fit_rows, scoring_batches
from hybridroute.training.encoders import load_encoder
from hybridroute.training.router_model import mean_pooled


@torch.no_grad()
def frozen_embeddings(
    texts: Sequence[str], *, encoder: str, max_tokens: int
) -> NDArray[np.float32]:
    """Embeddings of shape (n, width), read with the router's own tokenizer and length."""
    held = load_encoder(encoder, position_buckets=32, dropout=0.0)
    tokenizer = RouterTokenizer(Tokenizer.from_str(held.tokenizer_json), max_tokens=max_tokens)
    rows = fit_rows(texts, np.zeros((len(texts), 3), dtype=np.float32), tokenizer)
    held.module.eval()
    found = np.empty((len(rows), held.width), dtype=np.float32)
    for indices in scoring_batches(rows):
        batch = collate(rows, indices)
        hidden = held.module(
            input_ids=batch.input_ids, attention_mask=batch.attention_mask
        ).last_hidden_state
        found[indices] = mean_pooled(hidden, batch.attention_mask).numpy()
    return found
