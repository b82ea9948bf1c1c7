"""States by the device's own graph: int8 near torch, the same alone and together, kept on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import tiny_bert

from hybridroute.edge_runtime.errors import ConfigError, TrainingError
from hybridroute.training.pool import embedding
from hybridroute.training.pool.frozen_encoder import FrozenEncoder, frozen_encoder

TEXTS = ["a", "greet the sea", "prove the king is a wheel " * 9, "greet the sea", "是 什么", ""]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrozenEncoder]:
    place = tmp_path_factory.mktemp("encoder")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYBRIDROUTE_CACHE", str(place / "cache"))
        made = frozen_encoder(str(tiny_bert(place / "bert")), max_tokens=32)
        again = frozen_encoder(str(place / "bert"), max_tokens=32)
        assert again.graph == made.graph
        assert len(list((place / "cache" / "encoders").glob("*.onnx"))) == 1
        with pytest.raises(ConfigError, match="at most 64"):
            frozen_encoder(str(place / "bert"), max_tokens=65)
        yield made


def test_queries_hold_what_the_device_sees(encoder: FrozenEncoder) -> None:
    queries = encoder.embedder().queries(TEXTS)
    assert queries.embeddings.dtype == np.float32
    assert np.linalg.norm(queries.embeddings, axis=1) == pytest.approx(np.ones(6), abs=1e-5)
    assert (queries.embeddings[1] == queries.embeddings[3]).all()
    assert queries.tokens[0] == 3
    assert queries.tokens[2] == 32
    assert queries.characters.tolist() == [len(text) for text in TEXTS]
    alone = encoder.embedder().states(TEXTS[2:3])
    assert (alone[0] == queries.embeddings[2]).all()
    assert encoder.least_cosine > 0.9
    assert encoder.embedder().states([]).shape[0] == 0


def test_states_are_kept_and_read_back(
    encoder: FrozenEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = encoder.embedder(cache=tmp_path).states(TEXTS)

    def never(*_: object) -> None:
        raise AssertionError("the text was embedded again")

    monkeypatch.setattr(embedding.Embedder, "_state", never)
    assert (encoder.embedder(cache=tmp_path).states(TEXTS[::-1]) == first[::-1]).all()
    with pytest.raises(AssertionError, match="again"):
        encoder.embedder(cache=tmp_path).states(["something new"])


def test_a_file_that_is_no_cache_is_named(encoder: FrozenEncoder, tmp_path: Path) -> None:
    encoder.embedder(cache=tmp_path).states(["a"])
    kept = next(tmp_path.glob("*.sqlite"))
    kept.write_bytes(b"not a database, and long enough to be one" * 9)
    with pytest.raises(TrainingError, match="delete it"):
        encoder.embedder(cache=tmp_path).states(["a"])
