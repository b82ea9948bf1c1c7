"""What estimators see of texts: states of a frozen encoder, kept between runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.model_store import cache_folder
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.judging.all_runs import Timer
from hybridroute.training.judging.latency import device_timer
from hybridroute.training.judging.records import Records
from hybridroute.training.out_of_scope import Scope
from hybridroute.training.pool.estimator import Queries

KEPT = "states"


def embedded(
    texts: Sequence[str], *, encoder: str, max_tokens: int
) -> tuple[Queries, Timer, Scope]:
    """Embed n texts with the graph of the device, and make the timer that routes some of them.

    Which texts are out of scope, the tokenizer of the device says.

    Raises
    ------
    TrainingError, ConfigError
        If the encoder cannot be loaded or exported.
    """
    from hybridroute.training.pool.frozen_encoder import frozen_encoder

    held = frozen_encoder(encoder, max_tokens=max_tokens)
    queries = held.embedder(cache=cache_folder() / KEPT).queries(texts)
    tokenizer = RouterTokenizer.from_bytes(held.tokenizer.encode(), max_tokens=max_tokens)
    return queries, device_timer(held.graph, tokenizer, texts), Scope.of(tokenizer, texts)


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
