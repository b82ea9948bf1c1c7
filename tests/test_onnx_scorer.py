"""The ONNX scorer, on real (tiny) graphs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tiny_bundle import tiny_model, tiny_tokenizer, write_tiny_bundle

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import BundleError, ConfigError, ScoringError
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer

TEXTS = ["one", "a longer text", "", "another, longer still", "two", "x" * 500]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "b", max_tokens=32)


def tokenizer() -> RouterTokenizer:
    return RouterTokenizer(tiny_tokenizer(), max_tokens=32)


def test_scores_stand_in_the_order_of_the_texts(bundle: Bundle) -> None:
    scorer = bundle.scorer(threads=1)
    together = scorer.score(TEXTS)
    assert together.shape == (6,)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, [scorer.assess(text).score for text in TEXTS], atol=1e-7)
    assert len(np.unique(together)) == 6


def test_a_batch_gives_what_single_texts_give(bundle: Bundle) -> None:
    texts = [f"{first}{second}" for first in "abcdef" for second in "uvwxyz"]
    batched = OnnxScorer.from_bundle(bundle, batch_size=5)
    np.testing.assert_allclose(batched.score(texts), bundle.scorer().score(texts), atol=1e-6)


def test_no_texts(bundle: Bundle) -> None:
    assert bundle.scorer().score([]).shape == (0,)


def test_an_assessment_counts_tokens_after_the_cut(bundle: Bundle) -> None:
    scorer = bundle.scorer()
    assert scorer.assess("a b c").tokens == 5
    assert scorer.assess("a " * 1000).tokens == 32


def test_threads_at_once_agree(bundle: Bundle) -> None:
    scorer = bundle.scorer(threads=1)
    alone = scorer.score(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: scorer.score(TEXTS), range(20)):
            np.testing.assert_array_equal(found, alone)


def test_threads_that_do_not_spin_give_the_same_scores(bundle: Bundle) -> None:
    texts = ["What is 2+2?", "a", "one two three"]
    given = [bundle.scorer(threads=2, spins=spins).score(texts) for spins in (True, False)]
    np.testing.assert_array_equal(*given)


@pytest.mark.parametrize("bad", [{"threads": 0}, {"batch_size": 0}])
def test_threads_and_batch_are_at_least_one(bad: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="give at least 1"):
        OnnxScorer(b"", tokenizer(), score_kind="label", **bad)


def test_bytes_that_are_no_model() -> None:
    with pytest.raises(BundleError, match=r"router\.onnx cannot be loaded"):
        OnnxScorer(b"not a model", tokenizer(), score_kind="label")


def test_a_model_of_something_else() -> None:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "g", [values[0]], [values[1]]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(BundleError, match=r"takes \['x'\] and gives \['y'\]"):
        OnnxScorer(model.SerializeToString(), tokenizer(), score_kind="label")


def test_a_model_that_knows_fewer_tokens() -> None:
    scorer = OnnxScorer(tiny_model(np.ones(3)), tokenizer(), score_kind="label")
    with pytest.raises(ScoringError, match="failed on an input of shape"):
        scorer.score(["zebra"])


def test_a_score_that_is_not_finite() -> None:
    weights = np.full(tiny_tokenizer().get_vocab_size(), np.nan)
    scorer = OnnxScorer(tiny_model(weights), tokenizer(), score_kind="label")
    with pytest.raises(ScoringError, match="not finite"):
        scorer.assess("a")


def test_the_files_read_are_the_files_checked(tmp_path: Path) -> None:
    held = write_tiny_bundle(tmp_path / "b")
    model = onnx.load_from_string(held.read("router.onnx"))
    model.doc_string = "another"
    (held.path / "router.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match="was altered"):
        held.scorer()
