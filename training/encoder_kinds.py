"""Encoders that are taken as transformers gives them: which ones, and whether they fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hybridroute.edge_runtime.errors import TrainingError

if TYPE_CHECKING:
    from torch import nn

_DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "dropout",
    "attention_dropout",
    "embedding_dropout",
    "mlp_dropout",
)
"""What the families of encoders call their dropouts."""


def encoder_kind(place: str) -> str:
    """The ``model_type`` of a folder or a hub's repository.

    Raises
    ------
    TrainingError
        If it is no encoder.
    OSError, ValueError
        If its configuration cannot be read.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    config = AutoConfig.from_pretrained(place)
    kind = str(config.model_type)
    # A decoder's states do not see what follows them; transformers masks no words of one.
    if kind not in MODEL_FOR_MASKED_LM_MAPPING_NAMES or config.is_encoder_decoder:
        raise TrainingError(
            f"encoder {place!r} is a {kind}, which is not an encoder; give one such as a "
            "DeBERTa-v3, BERT, RoBERTa, DistilBERT or ModernBERT"
        )
    return kind


def is_deberta(module: nn.Module) -> bool:
    """Whether an encoder is a DeBERTa-v2, as a BERT is after its conversion."""
    return getattr(getattr(module, "config", None), "model_type", None) == "deberta-v2"


def load_as_it_is(place: str, dropout: float) -> nn.Module:
    """An encoder in fp32 with ``dropout`` wherever its family has one.

    Raises
    ------
    TrainingError
        If it does not turn ``input_ids`` and ``attention_mask`` into ``last_hidden_state`` of
        shape (batch, tokens, hidden_size).
    OSError, ValueError, RuntimeError
        If its weights cannot be read, or are not its configuration's.
    """
    from transformers import AutoConfig, AutoModel

    config = AutoConfig.from_pretrained(place)
    for name in _DROPOUTS:
        if isinstance(getattr(config, name, None), float):
            setattr(config, name, dropout)
    module: nn.Module = AutoModel.from_pretrained(place, config=config).float()
    _check(module, place)
    return module


def _check(module: Any, place: str) -> None:
    import torch

    ids = torch.full((1, 3), 5, dtype=torch.int64)
    module.eval()
    try:
        with torch.no_grad():
            found = module(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        wrong = None
        if found.shape != (1, 3, module.config.hidden_size):
            wrong = f"its states have shape {tuple(found.shape)}"
    except (TypeError, AttributeError, IndexError, RuntimeError, ValueError) as exc:
        wrong = f"{type(exc).__name__}: {exc}"
    if wrong is not None:
        raise TrainingError(
            f"encoder {place!r} does not turn token ids and a mask into states of shape (batch, "
            f"tokens, hidden_size): {wrong}. Give another encoder"
        )
