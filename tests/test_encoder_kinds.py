"""Other encoders: taken as they are, exported with torch's scores, or refused with a reason."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_encoder import router_words, tiny_other
from transformers import AutoModel, BartConfig

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.device_export import torch_scores
from hybridroute.training.encoder_kinds import encoder_kind, load_as_it_is
from hybridroute.training.encoders import load_encoder
from hybridroute.training.export import to_onnx
from hybridroute.training.router_model import RouterModel, ScoringModule

TEXTS = ["a", "greet the sea", "prove the king is a wheel", "sea sky door " * 8, "prove"]
LONGEST = {"roberta": 63, "distilbert": 64, "modernbert": 64, "electra": 64}


@pytest.mark.parametrize("kind", list(LONGEST))
def test_it_is_exported_with_torchs_scores(tmp_path: Path, kind: str) -> None:
    place = tiny_other(tmp_path, kind)
    held = load_encoder(str(place), position_buckets=8, dropout=0.3)
    assert encoder_kind(str(place)) == kind
    assert (held.width, held.longest) == (32, LONGEST[kind])
    tokenizer = RouterTokenizer(router_words(), max_tokens=32)
    torch.manual_seed(1)
    model = RouterModel(held.module, width=32, heads="arms", pooling="mean")
    torch.nn.init.normal_(model.head.weight, std=0.5)
    scoring = ScoringModule(model, slope=2.0, offset=0.1)
    graph = to_onnx(scoring, max_tokens=32)
    scores = OnnxScorer(graph, tokenizer, score_kind="gap", batch_size=4).score(TEXTS)
    assert len(np.unique(scores)) == len(TEXTS)
    np.testing.assert_allclose(scores, torch_scores(scoring, TEXTS, tokenizer), atol=1e-5)


@pytest.mark.parametrize("kind", list(LONGEST))
def test_dropout_is_set_whatever_its_name(tmp_path: Path, kind: str) -> None:
    module = load_as_it_is(str(tiny_other(tmp_path, kind)), 0.3)
    rates = {held.p for held in module.modules() if isinstance(held, torch.nn.Dropout)}
    assert rates <= {0.3}
    assert rates


def test_an_encoder_with_a_decoder_is_refused(tmp_path: Path) -> None:
    BartConfig(d_model=16, encoder_layers=1, decoder_layers=1).save_pretrained(tmp_path)
    with pytest.raises(TrainingError, match="is a bart, which is not an encoder"):
        load_encoder(str(tmp_path), position_buckets=8, dropout=0.0)


def test_states_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tiny_other(tmp_path, "distilbert")

    class Vector(torch.nn.Module):
        config = SimpleNamespace(hidden_size=32)

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> object:
            return SimpleNamespace(last_hidden_state=torch.zeros(len(input_ids), 32))

    monkeypatch.setattr(AutoModel, "from_pretrained", lambda *_, **__: Vector())
    with pytest.raises(TrainingError, match=r"its states have shape \(1, 32\)"):
        load_as_it_is(str(place), 0.0)


def test_weights_of_another_size(tmp_path: Path) -> None:
    place = tiny_other(tmp_path, "roberta")
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    with pytest.raises(TrainingError, match="cannot be loaded"):
        load_encoder(str(place), position_buckets=8, dropout=0.0)
