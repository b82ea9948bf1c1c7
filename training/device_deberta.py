"""A fitted DeBERTa-v2 in the form a device runs fastest: the same states from fewer operators.

What depends on the weights or the length alone is worked out once and not in every layer: the
projections of the relative-position embeddings, the buckets of all distances, the scale of the
attention (in the query projection), the type embedding (in the positions'). One product gives
query, key and value, so that int8 quantises their input once; both position terms are gathered
where the attention adds them, so that none is transposed.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hybridroute.training.encoder_kinds import is_deberta

_MASKED = -1e9
"""Added to the attention to padding: e to its power is 0, and it stays finite in any sum."""


def device_form(encoder: nn.Module, *, max_tokens: int) -> nn.Module:
    """The same encoder for a device, where that form is known; else ``encoder`` itself.

    Known is a DeBERTa-v2 with both position terms and without a convolution, as are
    ``microsoft/deberta-v3-*`` and a converted BERT.

    Parameters
    ----------
    encoder : torch.nn.Module
    max_tokens : int
        The longest input.

    Returns
    -------
    torch.nn.Module
        Shares weights with ``encoder`` and gives the same ``last_hidden_state`` for every token;
        what it gives for padding means nothing.
    """
    if not is_deberta(encoder) or not _is_known(encoder.config):
        return encoder
    with torch.no_grad():
        return DeviceDeberta(encoder, max_tokens=max_tokens)


def _is_known(config: Any) -> bool:
    return bool(
        getattr(config, "relative_attention", False)
        and set(config.pos_att_type or ()) == {"c2p", "p2c"}
        and not getattr(config, "conv_kernel_size", 0)
    )


class DeviceDeberta(nn.Module):
    """The encoder that :func:`device_form` makes of transformers' ``DebertaV2Model``."""

    buckets: Tensor

    def __init__(self, source: Any, *, max_tokens: int) -> None:
        super().__init__()
        self.embeddings = _Embeddings(source.embeddings, max_tokens)
        buckets = _buckets(source.encoder.layer[0].attention.self, max_tokens)
        first, last = int(buckets.min()), int(buckets.max())
        self.register_buffer("buckets", (buckets - first).to(torch.int16))
        relative = source.encoder.get_rel_embedding()[first : last + 1]
        self.layers = nn.ModuleList(_Layer(layer, relative) for layer in source.encoder.layer)
        self.heads = int(source.config.num_attention_heads)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        """``last_hidden_state`` of shape (batch, tokens, width)."""
        from transformers.modeling_outputs import BaseModelOutput

        batch, tokens = input_ids.shape
        buckets = self.buckets[:tokens, :tokens].long().expand(batch, self.heads, -1, -1)
        masked = (1.0 - attention_mask.to(torch.float32)) * _MASKED
        # Once to the full width: adding a row to a matrix costs twice as much in every layer.
        masked = masked[:, None, None, :].expand(-1, -1, tokens, -1)
        states = self.embeddings(input_ids)
        for layer in self.layers:
            states = layer(states, buckets, masked)
        return BaseModelOutput(last_hidden_state=states)


def _buckets(attention: Any, max_tokens: int) -> Tensor:
    """The relative-position embedding of each query and key, (max_tokens, max_tokens)."""
    from transformers.models.deberta_v2.modeling_deberta_v2 import build_relative_position

    anything = torch.zeros(max_tokens, 1)
    signed = build_relative_position(
        anything,
        anything,
        bucket_size=attention.position_buckets,
        max_position=attention.max_relative_positions,
    )[0]
    span = int(attention.pos_ebd_size)
    return torch.as_tensor(signed + span).clamp(0, 2 * span - 1)


class _Embeddings(nn.Module):
    added: Tensor | None

    def __init__(self, source: Any, max_tokens: int) -> None:
        super().__init__()
        self.words = source.word_embeddings
        self.projection = source.embed_proj
        self.norm = source.LayerNorm
        added = None
        if source.token_type_embeddings is not None:
            added = source.token_type_embeddings.weight[:1].expand(max_tokens, -1)
        if source.position_embeddings is not None:
            places = source.position_embeddings.weight[:max_tokens]
            added = places if added is None else places + added[: len(places)]
        self.register_buffer("added", added)

    def forward(self, input_ids: Tensor) -> Tensor:
        states: Tensor = self.words(input_ids)
        if self.added is not None:
            states = states + self.added[: input_ids.shape[1]]
        if self.projection is not None:
            states = self.projection(states)
        normed: Tensor = self.norm(states)
        return normed


class _Layer(nn.Module):
    """Attention and feed-forward, each added to its input and normalised."""

    keys: Tensor
    queries: Tensor

    def __init__(self, source: Any, relative: Tensor) -> None:
        super().__init__()
        attention = source.attention.self
        self.heads = int(attention.num_attention_heads)
        # Over content, c2p and p2c (DeBERTa, arXiv 2006.03654, equation 4).
        scale = 1.0 / math.sqrt(3.0 * attention.attention_head_size)
        self.inputs = _joined(attention, scale)
        keys, queries = _positions(attention, relative)
        self.register_buffer("keys", keys.transpose(1, 2).contiguous())  # (heads, size, buckets)
        self.register_buffer("queries", queries * scale)  # (heads, buckets, size)
        self.attended = source.attention.output.dense
        self.attended_norm = source.attention.output.LayerNorm
        self.wide = source.intermediate.dense
        self.activation = source.intermediate.intermediate_act_fn
        self.narrow = source.output.dense
        self.norm = source.output.LayerNorm

    def forward(self, states: Tensor, buckets: Tensor, masked: Tensor) -> Tensor:
        batch, tokens, _ = states.shape
        mixed = self.inputs(states).view(batch, tokens, 3 * self.heads, -1)
        query, key, value = mixed.transpose(1, 2).split(self.heads, dim=1)
        to_position = torch.gather(query @ self.keys, 3, buckets)
        to_content = torch.gather(self.queries @ key.transpose(2, 3), 2, buckets)
        bias = to_position + to_content + masked  # (batch, heads, tokens, tokens)
        found = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias, scale=1.0
        )
        # torch's result lies in memory as its transpose; ONNX knows no strides.
        found = found.transpose(1, 2).clone(memory_format=torch.contiguous_format)
        states = self.attended_norm(self.attended(found.view(batch, tokens, -1)) + states)
        out: Tensor = self.norm(self.narrow(self.activation(self.wide(states))) + states)
        return out


def _joined(attention: Any, scale: float) -> nn.Linear:
    """The projections to queries, multiplied by ``scale``, keys and values as one."""
    query, key, value = attention.query_proj, attention.key_proj, attention.value_proj
    joined = nn.Linear(query.in_features, 3 * query.out_features)
    joined.weight.copy_(torch.cat([query.weight * scale, key.weight, value.weight]))
    joined.bias.copy_(torch.cat([query.bias * scale, key.bias, value.bias]))
    return joined


def _positions(attention: Any, relative: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and queries of relative positions, each of shape (heads, buckets, size)."""
    shared = attention.share_att_key
    keys = (attention.key_proj if shared else attention.pos_key_proj)(relative)
    queries = (attention.query_proj if shared else attention.pos_query_proj)(relative)
    shape = (len(relative), attention.num_attention_heads, -1)
    return keys.view(shape).transpose(0, 1), queries.view(shape).transpose(0, 1)
