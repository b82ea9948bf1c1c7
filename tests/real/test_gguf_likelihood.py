"""Log-likelihoods under a real GGUF model, beside llama-cpp-python's own with all logits."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import ConfigError, ModelMissing
from hybridroute.edge_runtime.model_registry import resolve
from hybridroute.training.quality import Item, QualityOptions, build_quality
from hybridroute.training.quality.gguf_model import GgufModel

pytestmark = pytest.mark.real
llama_cpp = pytest.importorskip("llama_cpp")


@pytest.fixture(scope="module")
def path():
    try:
        return resolve("smollm2-135m").path
    except ModelMissing as exc:
        pytest.skip(str(exc))


def test_only_the_wanted_positions_give_the_same_as_all(path) -> None:
    whole = llama_cpp.Llama(str(path), n_ctx=256, logits_all=True, n_threads=1, verbose=False)
    model = GgufModel(path, context_tokens=256, threads=1)
    try:
        prefix = model.tokenize("Question: What is the capital of France?\nAnswer:", begin=True)
        # More than one piece of flagged positions, and then a prefix shared with the call before.
        for text in (" Paris" + " is the city and so it goes on" * 9, " Paris", " Rome"):
            target = model.tokenize(text, begin=False)
            found = model.log_probabilities(prefix, target)
            whole.reset()
            # Cut as the other cuts them: llama.cpp's results depend on that.
            for piece in (prefix[:-1], [prefix[-1], *target[:63]], target[63:]):
                if piece:
                    whole.eval(piece)
            logits = np.array(whole.scores[: len(prefix) + len(target)], dtype=np.float64)
            logs = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
            wanted = [logs[len(prefix) - 1 + at, token] for at, token in enumerate(target)]
            assert len(found) == len(target)
            np.testing.assert_allclose(found, wanted, atol=1e-4)
        long = model.tokenize("So it was said. " * 30, begin=True)
        once = model.log_probabilities(long, target)
        model.log_probabilities([*long[:80], *prefix], target)  # shares one whole block
        assert model.log_probabilities(long, target).tolist() == once.tolist()
        with pytest.raises(ConfigError, match="at most 256 tokens"):
            model.log_probabilities(prefix, target * 300)
        with pytest.raises(ConfigError, match="give a prefix"):
            model.log_probabilities([], target)
    finally:
        model.close()
        model.close()
        whole.close()


def test_a_likely_answer_beats_an_unlikely_one_and_long_prompts_are_cut(path) -> None:
    held = build_quality("loglik-reference", QualityOptions(context_tokens=256, threads=1))
    try:
        query = "What is the capital of France?"
        good, bad = held.score(
            [
                Item(query=query, response=text, reference="Paris")
                for text in ("The capital of France is Paris.", "I like green cheese.")
            ]
        )
        assert bad < good < 0.0
        assert held.notes() == ()
        held.score([Item(query="long " * 20_000, response="x", reference="y " * 500)])
        assert held.notes()[0].startswith("loglik-reference cut 1 prompts at their beginning and 1")
    finally:
        held.close()
