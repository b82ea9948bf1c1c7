"""What estimators see of texts: states of a frozen encoder, kept between runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.judging.records import Records
from hybridroute.training.pool.estimator import Queries


def embedded(texts: Sequence[str], *, encoder: str, max_tokens: int) -> tuple[Queries, None]:
    """Embed n texts; there is no graph to time yet.

    Raises
    ------
    TrainingError
        If the encoder cannot be loaded.
    """
    from tokenizers import Tokenizer

    from hybridroute.training.embeddings import frozen_embeddings
    from hybridroute.training.encoders import load_encoder

    held = load_encoder(encoder, position_buckets=32, dropout=0.0)
    tokenizer = RouterTokenizer(Tokenizer.from_str(held.tokenizer_json), max_tokens=max_tokens)
    states = frozen_embeddings(texts, encoder=encoder, max_tokens=max_tokens)
    norms = np.linalg.norm(states, axis=1, keepdims=True)
    queries = Queries(
        embeddings=(states / np.where(norms > 0.0, norms, 1.0)).astype(np.float32),
        characters=np.array([len(text) for text in texts], dtype=np.int64),
        tokens=np.array([len(tokenizer.encode(text).ids) for text in texts], dtype=np.int64),
        texts=tuple(texts),
    )
    return queries, None


def from_states(
    states: tuple[NDArray[np.float32], NDArray[np.float32]], records: Records
) -> Queries:
    """Queries of embeddings that came with the scores; nothing is known of their lengths.

    Raises
    ------
    DataError
        If rows were left out, so that states and rows do not match.
    """
    held = np.concatenate(states)
    if len(held) != len(records.table):
        raise DataError(f"{len(held)} embeddings for {len(records.table)} rows; keep duplicates")
    norms = np.linalg.norm(held, axis=1, keepdims=True)
    length = np.ones(len(held), dtype=np.int64)
    return Queries(
        embeddings=(held / np.where(norms > 0.0, norms, 1.0)).astype(np.float32),
        characters=length,
        tokens=length,
    )
