"""BARTScore against hand-computed teacher-forced values of a tiny random BART made here."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.quality import Item, QualityOptions, build_qualities, build_quality
from hybridroute.training.quality.scoring import score_items

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = [*SPECIAL, "this", "is", "interesting", "fun", "the", "cat", "sat", "on", "a", "mat", "."]
SENTENCES = ("this is interesting", "this is fun", "the cat sat on a mat .", "fun")
GOLDEN = -2.510652780532837  # as published, with bart-large-cnn


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    place = tmp_path_factory.mktemp("bart")
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_max_length=16,
    ).save_pretrained(place)
    torch.manual_seed(0)
    config = transformers.BartConfig(
        vocab_size=len(WORDS),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=16,
        init_std=0.8,  # far from uniform, so that a mistake shows
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    )
    transformers.BartForConditionalGeneration(config).save_pretrained(place)
    return str(place)


def by_hand(folder: str, source: str, target: str) -> float:
    """Feed the decoder one token more each time and read the next one's log-probability."""
    model = transformers.BartForConditionalGeneration.from_pretrained(folder).eval()
    ids = [[0, *(WORDS.index(word) for word in text.split()), 2] for text in (source, target)]
    fed, logs = [2], []
    for token in ids[1]:
        with torch.no_grad():
            logits = model(
                input_ids=torch.tensor([ids[0]]), decoder_input_ids=torch.tensor([fed])
            ).logits
        logs.append(torch.log_softmax(logits[0, -1].double(), dim=0)[token].item())
        fed.append(token)
    return float(np.mean(logs))


def test_all_directions_are_the_hand_computed_values(folder: str) -> None:
    names = [f"bartscore-{part}" for part in ("faithfulness", "precision", "recall", "f")]
    functions = build_qualities(names, QualityOptions(bart_model=folder))
    items = [
        Item(query=query, response=response, reference=reference)
        for query, response, reference in (SENTENCES[:3], SENTENCES[1:], SENTENCES[:3])
    ]
    found = {one.name.partition("-")[2]: one.score(items) for one in functions}
    for place, item in enumerate(items):
        precision = by_hand(folder, item.reference, item.response)
        recall = by_hand(folder, item.response, item.reference)
        wanted = {
            "faithfulness": by_hand(folder, item.query, item.response),
            "precision": precision,
            "recall": recall,
            "f": (precision + recall) / 2,
        }
        for part, number in wanted.items():
            assert found[part][place] == pytest.approx(number, abs=1e-5), part
    assert len({round(values[0], 3) for values in found.values()}) == 4


def test_batches_change_nothing(folder: str) -> None:
    held = build_quality("bartscore-precision", QualityOptions(bart_model=folder))
    items = [Item(query="", response=one, reference=two) for one in SENTENCES for two in SENTENCES]
    alone = np.concatenate([held.score([item]) for item in items])
    np.testing.assert_allclose(held.score(items), alone, atol=1e-5)


def test_truncation_is_counted_and_said(folder: str, caplog) -> None:
    held = build_quality("bartscore-precision", QualityOptions(bart_model=folder))
    assert held.notes() == ()
    long = " ".join(["cat"] * 40)
    cut = Item(query="", response=long, reference="fun")
    held.score([cut, Item(query="", response="fun", reference=long)])
    assert "cuts texts at 16 tokens" in caplog.text
    assert held.notes() == (
        "BARTScore cut 1 sources and 1 targets of 2 at 16 tokens; what came after was not judged",
    )
    kept = Item(query="", response=" ".join(["cat"] * 14), reference="fun")
    np.testing.assert_allclose(held.score([cut]), held.score([kept]), atol=1e-6)


def test_a_blank_response_is_a_uniform_guess(folder: str) -> None:
    held = build_quality("bartscore-f", QualityOptions(bart_model=folder))
    items = [Item(query="", response=text, reference="fun") for text in ("", " \n")]
    assert score_items(held, items, ["a", "b"]).tolist() == [-np.log(len(WORDS))] * 2


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bart"}))
    with pytest.raises(ConfigError, match="BART model .* cannot be loaded"):
        build_quality("bartscore-f", QualityOptions(bart_model=str(tmp_path)))


@pytest.mark.real
def test_the_published_pair() -> None:
    place = os.environ.get("HYBRIDROUTE_BART_CNN")
    if not place:
        pytest.skip("HYBRIDROUTE_BART_CNN names no folder of facebook/bart-large-cnn")
    held = build_quality("bartscore-faithfulness", QualityOptions(bart_model=place))
    pair = Item(query="This is interesting.", response="This is fun.")
    assert held.score([pair])[0] == pytest.approx(GOLDEN, abs=1e-4)
