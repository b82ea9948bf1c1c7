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


@dataclass(frozen=True, slots=True, kw_only=True)
class FitConfig:
    """How a router is fitted.

    Parameters
    ----------
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
    epochs, batch_size, learning_rate, weight_decay, warmup, dropout
        AdamW with linear warm-up over a share of the steps, then linear decay to 0.
    evaluations_per_epoch : int
        How often the selection rows are scored; the best checkpoint is kept.
    precision : {"fp32", "bf16"}
        Of the matrix products on the CPU; weights and optimizer stay in fp32.
    seed : int
        Of the head's initial weights, the order of the rows and the dropout.
    """

    encoder: str = "minilm"
    heads: HeadsKind = "arms"
    label: LabelKind = "prob"
    pooling: PoolingKind = "mean"
    max_tokens: int = 128
    position_buckets: int = 32
    epochs: int = 3
    batch_size: int = 16
    learning_rate: float = 5e-5
    weight_decay: float = 0.01
    warmup: float = 0.1
    dropout: float = 0.1
    evaluations_per_epoch: int = 2
    precision: Precision = "fp32"
    seed: int = 1

    def __post_init__(self) -> None:
        for name, kind in _CHOICES.items():
            value = getattr(self, name)
            if value not in get_args(kind):
                raise ConfigError(f"{name} is {value!r}; choose from {list(get_args(kind))}")
        for name in ("epochs", "batch_size", "position_buckets", "evaluations_per_epoch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 8 <= self.max_tokens <= 512:
            raise ConfigError(f"max_tokens is {self.max_tokens}; it must be from 8 to 512")
        self._check_rates()

    def _check_rates(self) -> None:
        if not (self.learning_rate > 0 and math.isfinite(self.learning_rate)):
            raise ConfigError(f"learning_rate is {self.learning_rate}; it must be above 0")
        for name in ("weight_decay", "seed"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be at least 0")
        for name in ("warmup", "dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be from 0 to below 1")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return asdict(self)


_CHOICES: dict[str, Any] = {
    "heads": HeadsKind,
    "label": LabelKind,
    "pooling": PoolingKind,
    "precision": Precision,
}
