"""Every choice of one training run, in one object that is saved with the bundle."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from hybridroute.edge_runtime.errors import ConfigError

HeadsKind = Literal["label", "arms"]
PoolingKind = Literal["mean", "first"]
LabelKind = Literal["det", "prob", "trans"]
Precision = Literal["fp32", "bf16"]
FitKind = Literal["deberta", "ridge", "logistic", "knn"]
WeightKind = Literal["int8", "fp32"]
"""Of the exported graph."""

TOKENS = (8, 512)
"""The shortest and the longest input; an encoder may read less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """How a router is fitted.

    Parameters
    ----------
    fit : {"deberta", "ridge", "logistic", "knn"}
        The whole network is fine-tuned, or only a head is fitted on the frozen encoder's pooled
        states: ridge regression of the gap, logistic regression of the label, or the mean gap of
        the nearest fitted rows.
    encoder : str
        ``"minilm"`` (packaged, no hub needed), a folder, or a hub name such as
        ``microsoft/deberta-v3-xsmall``.
    heads : {"label", "arms"}
        One head that estimates the label, or a head for each arm's own quality beside it; the
        score of the latter is of kind ``gap``.
    label : {"det", "prob", "trans"}
        Hybrid LLM (arXiv 2404.14618), sections 4.1 to 4.3.
    pooling : {"mean", "first"}
        Over the last hidden states.
    max_tokens : int
        Input length, special tokens included; longer texts lose their beginning.
    position_buckets : int
        Relative-position buckets of an encoder warm-started from a BERT.
    accumulate : int
        Batches whose gradients are summed before each step of the optimizer.
    epochs, batch_size, learning_rate, weight_decay, warmup, dropout
        AdamW with linear warm-up over a share of the steps, then linear decay to 0.
    evaluations_per_epoch : int
        How often the selection rows are scored; the best checkpoint is kept.
    patience : int
        Evaluations in a row without a better selection value after which a fit ends; 0 is never.
    precision : {"fp32", "bf16"}
        Of the matrix products on the CPU; weights and optimizer stay in fp32.
    seed : int
        Of the head's initial weights, the order of the rows and the dropout.
    l2 : float
        Penalty of the logistic head on states of unit length.
    neighbours : int
        Fitted rows whose gaps the kNN head averages, weighed by how much nearer they are than the
        next one; all of them if there are fewer.
    """

    fit: FitKind = "deberta"
    encoder: str = "minilm"
    heads: HeadsKind = "arms"
    label: LabelKind = "prob"
    pooling: PoolingKind = "mean"
    max_tokens: int = 96
    position_buckets: int = 32
    epochs: int = 2
    batch_size: int = 16
    accumulate: int = 1
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup: float = 0.1
    dropout: float = 0.1
    evaluations_per_epoch: int = 2
    patience: int = 0
    precision: Precision = "fp32"
    seed: int = 1
    l2: float = 1.0
    neighbours: int = 50

    def __post_init__(self) -> None:
        for name, kind in _CHOICES.items():
            value = getattr(self, name)
            if value not in get_args(kind):
                raise ConfigError(f"{name} is {value!r}; choose from {list(get_args(kind))}")
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not TOKENS[0] <= self.max_tokens <= TOKENS[1]:
            raise ConfigError(
                f"max_tokens is {self.max_tokens}; it must be from {TOKENS[0]} to {TOKENS[1]}"
            )
        self._check_rates()

    def _check_rates(self) -> None:
        for name in ("learning_rate", "l2"):
            value = getattr(self, name)
            if not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"{name} is {value}; it must be above 0")
        for name in ("weight_decay", "seed", "patience"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 0")
        for name in ("warmup", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be from 0 to below 1")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


_COUNTS = (
    "epochs",
    "batch_size",
    "accumulate",
    "position_buckets",
    "evaluations_per_epoch",
    "neighbours",
)
_CHOICES: dict[str, Any] = {
    "fit": FitKind,
    "heads": HeadsKind,
    "label": LabelKind,
    "pooling": PoolingKind,
    "precision": Precision,
}
