"""The device form of a DeBERTa: the same states for every token, whatever the configuration."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from transformers import BertConfig, BertModel, DebertaV2Config, DebertaV2Model

from hybridroute.edge_runtime.onnx_scorer import ATTENTION_MASK, INPUT_IDS
from hybridroute.training.device_deberta import DeviceDeberta, device_form
from hybridroute.training.export import to_onnx
from hybridroute.training.router_model import RouterModel, ScoringModule

LONGEST = 40
SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
}
V3 = {  # as microsoft/deberta-v3-* on the hub
    "relative_attention": True,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
    "max_relative_positions": -1,
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
}
MINILM = {  # as deberta_from_bert makes it
    **V3,
    "position_buckets": 8,
    "norm_rel_ebd": "none",
    "pos_att_type": ["c2p", "p2c"],
    "position_biased_input": True,
    "type_vocab_size": 2,
}
KNOWN = {
    "v3": V3,
    "minilm": MINILM,
    "few buckets": {**V3, "position_buckets": 8},
    "buckets past the longest distance": {
        **V3,
        "position_buckets": 4,
        "max_relative_positions": 16,
    },
    "no buckets": {**V3, "position_buckets": -1, "max_relative_positions": 24},
    "projections of positions": {**V3, "position_buckets": 8, "share_att_key": False},
    "narrow embeddings": {**MINILM, "embedding_size": 16},
    "types without places": {**V3, "position_buckets": 8, "type_vocab_size": 3},
    "another activation": {**MINILM, "hidden_act": "relu"},
}
UNKNOWN = {
    "convolution": {**V3, "conv_kernel_size": 3},
    "one position term": {**V3, "pos_att_type": "c2p"},
    "no relative attention": {**MINILM, "relative_attention": False},
}


def deberta(changes: dict[str, object]) -> torch.nn.Module:
    torch.manual_seed(0)
    model = DebertaV2Model(DebertaV2Config(**{**SIZES, **changes})).eval()
    for value in model.parameters():  # biases too: they are zero at birth
        torch.nn.init.normal_(value, std=0.3)
    return model


def batch(tokens: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Three rows: whole, padded behind, and with a hole."""
    torch.manual_seed(tokens)
    ids = torch.randint(1, 60, (3, tokens))
    mask = torch.ones_like(ids)
    mask[1, max(1, tokens // 2) :] = 0
    mask[2, 1 : tokens // 3] = 0
    return ids, mask


@torch.no_grad()
def states(module: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return module(input_ids=ids, attention_mask=mask).last_hidden_state[mask.bool()]


@pytest.mark.parametrize("kind", list(KNOWN))
def test_every_token_has_its_states(kind: str) -> None:
    model = deberta(KNOWN[kind])
    fast = device_form(model, max_tokens=LONGEST)
    assert isinstance(fast, DeviceDeberta)
    for tokens in (1, 2, 3, 9, 17, LONGEST):
        ids, mask = batch(tokens)
        torch.testing.assert_close(
            states(fast, ids, mask), states(model, ids, mask), atol=2e-5, rtol=2e-5
        )


def test_positions_matter() -> None:
    """Else the test above would pass for a form that left them out."""
    model = deberta(V3)
    ids, mask = batch(9)
    before = states(model, ids, mask)
    torch.nn.init.zeros_(model.encoder.rel_embeddings.weight)
    assert (states(model, ids, mask) - before).abs().max() > 0.01


def test_only_the_buckets_in_reach_are_kept() -> None:
    fast = device_form(deberta(V3), max_tokens=LONGEST)
    assert fast.layers[0].keys.shape == (4, 8, 2 * LONGEST - 1)


@pytest.mark.parametrize("kind", list(UNKNOWN))
def test_what_is_not_known_stays_as_it_is(kind: str) -> None:
    model = deberta(UNKNOWN[kind])
    assert device_form(model, max_tokens=LONGEST) is model


def test_another_family_stays_as_it_is() -> None:
    sizes = {**SIZES, "num_hidden_layers": 1}
    model = BertModel(BertConfig(**sizes))
    assert device_form(model, max_tokens=LONGEST) is model


@pytest.fixture(scope="module")
def exported() -> tuple[ScoringModule, bytes]:
    model = RouterModel(deberta(MINILM), width=32, heads="arms", pooling="mean")
    torch.nn.init.normal_(model.head.weight, std=0.5)
    scoring = ScoringModule(model, slope=2.0, offset=0.1).eval()
    return scoring, to_onnx(scoring, max_tokens=LONGEST)


@pytest.mark.parametrize("tokens", [1, 2, 5, 18, LONGEST])
def test_its_graph_gives_torchs_scores(exported: tuple[ScoringModule, bytes], tokens: int) -> None:
    from hybridroute.edge_runtime.onnx_runtime import ort

    scoring, graph = exported
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    ids, mask = batch(tokens)
    with torch.no_grad():
        wanted = scoring(ids, mask).numpy()
    feeds = {INPUT_IDS: ids.numpy(), ATTENTION_MASK: mask.numpy()}
    np.testing.assert_allclose(session.run(None, feeds)[0], wanted, atol=1e-5)


def test_its_graph_is_small(exported: tuple[ScoringModule, bytes]) -> None:
    ops = [node.op_type for node in onnx.load_from_string(exported[1]).graph.node]
    layers = 2
    assert ops.count("Attention") == layers
    assert ops.count("GatherElements") == 2 * layers  # c2p and p2c
    assert len(ops) < 40 + 27 * layers


def test_the_model_that_is_exported_stays_what_it_was(
    exported: tuple[ScoringModule, bytes],
) -> None:
    assert isinstance(exported[0].model.encoder, DebertaV2Model)
