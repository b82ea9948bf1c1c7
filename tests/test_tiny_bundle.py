"""The bundle that other tests lean on is one that the runtime accepts and scores with."""

import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.bundle import Bundle

WEIGHTS = {"easy": 400.0, "hard": -400.0}


@pytest.fixture
def bundle(tmp_path):
    return write_tiny_bundle(tmp_path / "tiny", weights=WEIGHTS)


def test_is_loadable_and_its_golden_vectors_hold(bundle):
    loaded = Bundle.load(bundle.path)
    scorer = loaded.scorer(threads=1)
    assert len(loaded.manifest.golden) == 2
    for vector in loaded.manifest.golden:
        assert scorer.encode(vector.text).ids == vector.token_ids
        assert scorer.score([vector.text])[0] == pytest.approx(vector.score, abs=1e-6)


def test_words_with_weights_decide_the_score(bundle):
    easy, hard = bundle.scorer(threads=1).score(["an easy thing", "a hard thing"])
    assert easy > 0.99
    assert hard < 0.01


def test_texts_score_apart_and_the_same_each_time(bundle):
    texts = [f"question about {word}" for word in ("tea", "stars", "tax", "law")]
    scores = bundle.scorer(threads=1).score(texts)
    assert len(np.unique(scores)) == len(texts)
    np.testing.assert_array_equal(scores, bundle.scorer(threads=1).score(texts))


def test_another_script_is_unknown(bundle):
    scorer = bundle.scorer(threads=1)
    assert scorer.assess("这是什么东西").unknown_share > 0.9
    assert scorer.assess("What is this?").unknown_share == 0.0


def test_quantiles_can_be_measured_on_prompts(tmp_path):
    prompts = ["one", "two", "three words here"]
    made = write_tiny_bundle(tmp_path / "b", quantiles=prompts)
    values = made.manifest.score_quantiles.values
    scores = sorted(made.scorer(threads=1).score(prompts).tolist())
    assert [values[0], values[-1]] == pytest.approx([scores[0], scores[-1]])
