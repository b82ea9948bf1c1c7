"""Frozen embeddings: mean-pooled states, one row a text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tiny_encoder import tiny_bert

from hybridroute.training.embeddings import frozen_embeddings


def test_each_text_has_its_own_row_whatever_its_batch_mates(tmp_path: Path) -> None:
    place = str(tiny_bert(tmp_path))
    texts = ["greet the sea", "prove it " * 20, "a", "greet the sea"]
    found = frozen_embeddings(texts, encoder=place, max_tokens=32)
    assert found.shape == (4, 32)
    np.testing.assert_array_equal(found[0], found[3])
    assert len(np.unique(found.round(4), axis=0)) == 3
    alone = frozen_embeddings(texts[2:3], encoder=place, max_tokens=32)
    np.testing.assert_allclose(alone[0], found[2], atol=1e-5)
