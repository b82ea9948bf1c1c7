"""A head on a frozen encoder as a network, so that it is exported as a fine-tuned router is."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hybridroute.edge_runtime.protocols import ScoreKind
from hybridroute.training.fit_config import PoolingKind
from hybridroute.training.pool.soft_neighbours import NEAREST_WEIGHT
from hybridroute.training.router_model import ScoringNetwork, unit_length

Floats = NDArray[np.float64]


class LinearHead(nn.Module):
    """weights . state + bias for states of unit length: (batch, width) to (batch,)."""

    def __init__(self, weights: Floats, bias: float) -> None:
        super().__init__()
        self.linear = nn.Linear(len(weights), 1)
        with torch.no_grad():
            self.linear.weight.copy_(torch.from_numpy(weights)[None])
            self.linear.bias.fill_(bias)

    def forward(self, unit: Tensor) -> Tensor:
        """Values of shape (batch,)."""
        found: Tensor = self.linear(unit)[:, 0]
        return found


class NeighbourHead(nn.Module):
    """The weighed gap of the k stored rows of largest cosine: (batch, width) to (batch,).

    The weights are those of a soft :class:`NeighbourBaseline`: with equal ones, rounding would
    exchange the last neighbour for the next and move the score by a step.

    Parameters
    ----------
    embeddings : ndarray, shape (n, width)
        Of unit length.
    gap : ndarray, shape (n,)
    k : int
    """

    rows: Tensor
    gap: Tensor

    def __init__(self, embeddings: Floats, gap: Floats, k: int) -> None:
        super().__init__()
        self.k = k
        # As the weight of a product, (width, n): int8 then takes a scale per stored row.
        rows = torch.from_numpy(np.ascontiguousarray(embeddings.T, dtype=np.float32))
        self.register_buffer("rows", rows)
        self.register_buffer("gap", torch.from_numpy(gap.astype(np.float32)))

    def forward(self, unit: Tensor) -> Tensor:
        """Mean gaps of shape (batch,)."""
        cosine = unit @ self.rows  # (batch, n)
        more = min(self.k + 1, cosine.shape[1])
        near = torch.topk(cosine, more, dim=1)  # (batch, k + 1)
        last = near.values[:, self.k :] if more > self.k else -1.0
        weights = near.values[:, : self.k] - last + NEAREST_WEIGHT  # (batch, k)
        return (weights * self.gap[near.indices[:, : self.k]]).sum(1) / weights.sum(1)


class FrozenRouter(ScoringNetwork):
    """A frozen encoder and a head on its pooled state, scaled to unit length.

    Parameters
    ----------
    encoder : torch.nn.Module
        Gives ``last_hidden_state`` of shape (batch, tokens, width).
    head : LinearHead or NeighbourHead
    pooling : {"mean", "first"}
    score_kind : {"label", "gap"}
        ``label``: the head gives the label's logit; ``gap``: the expected gap of the qualities.
    """

    def __init__(
        self,
        encoder: nn.Module,
        head: LinearHead | NeighbourHead,
        *,
        pooling: PoolingKind,
        score_kind: ScoreKind,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = head
        self.pooling = pooling
        self.continuous = isinstance(head, LinearHead)
        self._score_kind: ScoreKind = score_kind

    @property
    def score_kind(self) -> ScoreKind:
        """What the score estimates."""
        return self._score_kind

    def evidence(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What the score is a logistic function of, shape (batch,)."""
        found: Tensor = self.head(unit_length(self.states(input_ids, attention_mask)))
        return found
