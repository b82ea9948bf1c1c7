"""Rows as the fit reads them, and batches of similar length in a seeded order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer

_BATCHES_PER_POOL = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class FitRows:
    """Tokenized queries with their targets.

    Parameters
    ----------
    token_ids : tuple of tuple of int
        n sequences.
    targets : ndarray of shape (n, heads), float32, in [0, 1]
        Of two arms the columns are the scaled quality of the edge, of the cloud, and the label; of
        a pool each arm's scaled quality, NaN where it is missing.
    """

    token_ids: tuple[tuple[int, ...], ...]
    targets: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.targets.ndim != 2 or len(self.targets) != len(self.token_ids):
            shape = self.targets.shape
            raise TrainingError(f"targets have shape {shape} for {len(self.token_ids)} rows")
        known = self.targets[~np.isnan(self.targets)]
        if not ((known >= 0) & (known <= 1)).all():
            raise TrainingError("targets must be in [0, 1]; scale the qualities first")

    def __len__(self) -> int:
        return len(self.token_ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Padded token ids and mask, (batch, tokens) int64; targets, (batch, heads) float32."""

    input_ids: Tensor
    attention_mask: Tensor
    targets: Tensor


def fit_rows(
    texts: Sequence[str], targets: NDArray[np.float32], tokenizer: RouterTokenizer
) -> FitRows:
    """Tokenize exactly as the device does."""
    return FitRows(token_ids=tuple(tokenizer.encode(text).ids for text in texts), targets=targets)


def epoch_order(rows: FitRows, *, batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """The batches of one epoch: shuffled, then sorted by length within pools to save padding."""
    random = np.random.default_rng([seed, epoch])
    order = random.permutation(len(rows))
    pool = batch_size * _BATCHES_PER_POOL
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        held = sorted(order[start : start + pool].tolist(), key=lambda i: len(rows.token_ids[i]))
        batches += [held[at : at + batch_size] for at in range(0, len(held), batch_size)]
    return [batches[at] for at in random.permutation(len(batches))]


def collate(rows: FitRows, indices: Sequence[int]) -> Batch:
    """Pad the chosen rows on the right."""
    longest = max(len(rows.token_ids[row]) for row in indices)
    ids = np.zeros((len(indices), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for position, row in enumerate(indices):
        held = rows.token_ids[row]
        ids[position, : len(held)] = held
        mask[position, : len(held)] = 1
    return Batch(
        input_ids=torch.from_numpy(ids),
        attention_mask=torch.from_numpy(mask),
        targets=torch.from_numpy(rows.targets[list(indices)]),
    )


def scoring_batches(rows: FitRows, batch_size: int = 32) -> Iterator[list[int]]:
    """All rows once, by length."""
    order = sorted(range(len(rows)), key=lambda row: len(rows.token_ids[row]))
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]
