"""BERTScore by the bert-score package on a tiny random BERT made here."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.quality import Item, QualityOptions, build_qualities, build_quality
from hybridroute.training.quality.scoring import score_items

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
bert_score = pytest.importorskip("bert_score")

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
VOCABULARY = [*SPECIAL, "the", "cat", "sat", "on", "a", "mat", "dog", "ran"]
TEXTS = ("the cat", "the cat sat on the mat", "dog", "a dog ran on the mat the dog ran")
PARTS = ("bertscore-precision", "bertscore-recall", "bertscore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    place = tmp_path_factory.mktemp("bert")
    (place / "vocab.txt").write_text("\n".join(VOCABULARY))
    vocabulary = {word: index for index, word in enumerate(VOCABULARY)}
    transformers.BertTokenizer(vocab=vocabulary, model_max_length=32).save_pretrained(place)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        initializer_range=0.5,
    )
    transformers.BertModel(config).save_pretrained(place)
    return str(place)


def options(folder: str, layer: int | None = 2) -> QualityOptions:
    return QualityOptions(bert_model=folder, bert_layer=layer)


def test_the_parts_are_the_packages_own(folder: str) -> None:
    items = [Item(query="", response=one, reference=two) for one in TEXTS for two in TEXTS]
    scorer = bert_score.BERTScorer(model_type=folder, num_layers=2, device="cpu")
    for name, place in zip(PARTS, range(3), strict=True):
        held = build_quality(name, options(folder))
        wanted = [
            float(scorer.score([item.response], [item.reference])[place][0]) for item in items
        ]
        np.testing.assert_allclose(held.score(items), wanted, atol=1e-5)
        same = [item.response == item.reference for item in items]
        np.testing.assert_allclose(held.score(items)[same], 1.0, atol=1e-5)


def test_another_part_of_the_same_pairs_is_not_computed_again(folder: str, monkeypatch) -> None:
    functions = build_qualities(PARTS, options(folder))
    model = functions[0].model
    asked = []
    package = model.scorer.score
    monkeypatch.setattr(
        model.scorer, "score", lambda *args, **kw: asked.append(1) or package(*args, **kw)
    )
    items = [Item(query="", response=one, reference="the cat") for one in TEXTS]
    found = [function.score(items) for function in functions]
    assert len(asked) == 1
    assert not np.array_equal(found[0], found[1])
    functions[0].score(items[:2])
    assert len(asked) == 2


def test_the_model_is_loaded_once_for_all_parts(folder: str) -> None:
    functions = build_qualities(PARTS, options(folder))
    assert len({id(function.model) for function in functions}) == 1
    assert "layer 2" in functions[0].source


def test_blank_and_unreadable_responses_are_zero(folder: str) -> None:
    held = build_quality("bertscore", options(folder))
    items = [Item(query="", response=text, reference="the cat") for text in ("", " ", "\x01\u200b")]
    assert score_items(held, items, list("abc")).tolist() == [0.0, 0.0, 0.0]


def test_truncation_is_counted(folder: str) -> None:
    held = build_quality("bertscore", options(folder))
    held.score([Item(query="", response="cat " * 60, reference="the cat")])
    assert held.notes() == (
        "BERTScore cut 1 of 2 texts at 32 tokens; what came after was not judged",
    )


def test_an_unknown_model_needs_a_layer_and_a_layer_must_exist(folder: str) -> None:
    with pytest.raises(ConfigError, match="--bert-layer"):
        build_quality("bertscore", options(folder, None))
    with pytest.raises(ConfigError, match="layer 9, cannot be loaded"):
        build_quality("bertscore", options(folder, 9))
