"""The router's network, defined once: encoder -> pooled state -> head logits -> score.

Fitting, export and the parity check all use this module; the device runs its export.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import torch
from torch import Tensor, nn

from hybridroute.edge_runtime.protocols import ScoreKind
from hybridroute.training.fit_config import HeadsKind, PoolingKind

EDGE, CLOUD, LABEL = 0, 1, 2
"""Columns of the logits with ``arms`` heads; ``label`` heads have one column."""


class StateNetwork(nn.Module):
    """An encoder and the pooling of its last states."""

    encoder: nn.Module
    pooling: PoolingKind

    def states(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Pooled states of shape (batch, width)."""
        return pooled_states(self.encoder, self.pooling, input_ids, attention_mask)


class ScoringNetwork(StateNetwork, ABC):
    """An encoder and what turns its pooled state into evidence that the edge will do."""

    continuous = True
    """Whether a slight change of the states changes the evidence but slightly."""

    @property
    @abstractmethod
    def score_kind(self) -> ScoreKind:
        """What the score estimates."""

    @abstractmethod
    def evidence(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What the score is a logistic function of, shape (batch,)."""


class RouterModel(ScoringNetwork):
    """An encoder with one logit per head.

    Parameters
    ----------
    encoder : torch.nn.Module
        Gives ``last_hidden_state`` of shape (batch, tokens, width).
    width : int
    heads : {"label", "arms"}
    pooling : {"mean", "first"}
    """

    def __init__(
        self, encoder: nn.Module, *, width: int, heads: HeadsKind, pooling: PoolingKind
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = heads
        self.pooling = pooling
        self.head = nn.Linear(width, 1 if heads == "label" else 3)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    @classmethod
    def from_pretrained(
        cls, name: str | Path, *, local_files_only: bool = False, revision: str | None = None
    ) -> RouterModel:
        """The network of a saved router; see :class:`PretrainedRouter`, which also has its tokens.

        Raises
        ------
        TrainingError, ConfigError
            As :meth:`PretrainedRouter.from_pretrained`.
        """
        from hybridroute.training.pretrained import PretrainedRouter

        return PretrainedRouter.from_pretrained(
            name, local_files_only=local_files_only, revision=revision
        ).model

    @property
    def score_kind(self) -> ScoreKind:
        """What the score of these heads estimates."""
        return "label" if self.heads == "label" else "gap"

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Head logits of shape (batch, heads)."""
        logits: Tensor = self.head(self.states(input_ids, attention_mask))
        return logits

    def evidence(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """What the score is a logistic function of, shape (batch,)."""
        return evidence(self(input_ids, attention_mask), self.heads)


def pooled_states(
    encoder: nn.Module, pooling: PoolingKind, input_ids: Tensor, attention_mask: Tensor
) -> Tensor:
    """An encoder's last states, pooled to (batch, width)."""
    hidden: Tensor = encoder(
        input_ids=input_ids, attention_mask=attention_mask
    ).last_hidden_state  # (batch, tokens, width)
    return hidden[:, 0] if pooling == "first" else mean_pooled(hidden, attention_mask)


def unit_length(states: Tensor) -> Tensor:
    """States of shape (batch, width) divided by their norms."""
    found: Tensor = states / states.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return found


def mean_pooled(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    """The mean state over the real tokens: (batch, tokens, width) to (batch, width)."""
    mask = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (batch, tokens, 1)
    return (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)


def evidence(logits: Tensor, heads: HeadsKind) -> Tensor:
    """What the score is a logistic function of, shape (batch,).

    The label's logit, or p_edge - p_cloud in (-1, 1): the expected gap of the scaled qualities.
    """
    if heads == "label":
        return logits[:, 0]
    return torch.sigmoid(logits[:, EDGE]) - torch.sigmoid(logits[:, CLOUD])


class FrozenStates(StateNetwork):
    """An encoder that is not fitted."""

    def __init__(self, encoder: nn.Module, *, pooling: PoolingKind) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling


class ExportedModule(nn.Module):
    """What is exported: a network's ``forward(input_ids, attention_mask)`` to its outputs."""

    model: StateNetwork


class StatesModule(ExportedModule):
    """What is exported of a frozen encoder: token ids to states of unit length, (batch, width)."""

    def __init__(self, model: StateNetwork) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """States of shape (batch, width)."""
        return unit_length(self.model.states(input_ids, attention_mask))


class ScoringModule(ExportedModule):
    """What is exported: token ids to a score in [0, 1], sigmoid(slope * evidence + offset)."""

    model: ScoringNetwork
    slope: Tensor
    offset: Tensor

    def __init__(self, model: ScoringNetwork, *, slope: float, offset: float) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("slope", torch.tensor(slope, dtype=torch.float32))
        self.register_buffer("offset", torch.tensor(offset, dtype=torch.float32))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Scores of shape (batch,)."""
        found = self.model.evidence(input_ids, attention_mask)
        return torch.sigmoid(self.slope * found + self.offset)
