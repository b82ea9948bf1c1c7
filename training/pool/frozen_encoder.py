"""A frozen encoder as the graph that every pool estimator shares: token ids to a unit state."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from hybridroute._version import __version__
from hybridroute.edge_runtime.errors import ConfigError, TrainingError
from hybridroute.edge_runtime.model_store import cache_folder, write_atomically
from hybridroute.edge_runtime.onnx_scorer import EMBEDDING
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import collate, fit_rows, scoring_batches
from hybridroute.training.encoders import Encoder, load_encoder
from hybridroute.training.export import to_onnx
from hybridroute.training.fit_config import PoolingKind
from hybridroute.training.parity import parity_texts
from hybridroute.training.pool.embedding import Embedder
from hybridroute.training.quantize import to_int8
from hybridroute.training.router_model import FrozenStates, StatesModule

logger = logging.getLogger(__name__)

_PARITY_TEXTS = 200
_LEAST_COSINE = 0.9
"""Of an int8 state with torch's: worse states would be another encoder's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenEncoder:
    """The int8 graph, its tokenizer's file, and how near its states are to torch's.

    ``least_cosine`` and ``mean_cosine`` are of int8 states with torch's, over texts of many
    scripts and lengths.
    """

    graph: bytes
    tokenizer: str
    max_tokens: int
    source: str
    least_cosine: float
    mean_cosine: float

    def embedder(self, *, cache: Path | None = None) -> Embedder:
        """What turns texts into states, on as many threads as there are cores."""
        return Embedder(self.graph, self.tokenizer, max_tokens=self.max_tokens, cache=cache)


def frozen_encoder(source: str, *, max_tokens: int, pooling: PoolingKind = "mean") -> FrozenEncoder:
    """Export an encoder, a BERT as it is, with a state of unit length as its output.

    Parameters
    ----------
    source : str
        ``minilm``, a folder, or a hub name, as for :func:`load_encoder`.

    Raises
    ------
    TrainingError
        If it cannot be loaded or exported, or int8 moves its states too far.
    ConfigError
        If the encoder does not read so many tokens.
    """
    held = load_encoder(source, position_buckets=32, dropout=0.0, convert=False)
    if held.longest is not None and max_tokens > held.longest:
        raise ConfigError(
            f"max_tokens is {max_tokens}; the encoder {source} reads at most {held.longest}"
        )
    module = StatesModule(FrozenStates(held.module, pooling=pooling)).eval()
    graph = _cached_graph(module, held, max_tokens, pooling)
    tokenizer = RouterTokenizer(Tokenizer.from_str(held.tokenizer_json), max_tokens=max_tokens)
    texts = parity_texts([], n=_PARITY_TEXTS, seed=0)
    found = Embedder(graph, tokenizer.to_json(), max_tokens=max_tokens).states(texts)
    cosine = (found * _torch_states(module, texts, tokenizer)).sum(axis=1)
    if cosine.min() < _LEAST_COSINE:
        raise TrainingError(
            f"the states of {source} in int8 are not torch's: their cosine is {cosine.min():.3f} "
            f"for one of {len(texts)} texts; give another encoder"
        )
    return FrozenEncoder(
        graph=graph,
        tokenizer=tokenizer.to_json(),
        max_tokens=max_tokens,
        source=source,
        least_cosine=float(cosine.min()),
        mean_cosine=float(cosine.mean()),
    )


def _cached_graph(
    module: StatesModule, held: Encoder, max_tokens: int, pooling: PoolingKind
) -> bytes:
    """The int8 graph, exported once for the same weights and versions."""
    digest = hashlib.sha256(f"{__version__} {torch.__version__} {max_tokens} {pooling}".encode())
    digest.update(held.tokenizer_json.encode())
    for name, value in module.state_dict().items():
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    place = cache_folder() / "encoders" / f"{digest.hexdigest()[:32]}.onnx"
    try:
        return place.read_bytes()
    except OSError:
        graph = to_int8(to_onnx(module, max_tokens=max_tokens, outputs=[EMBEDDING]))
    try:
        write_atomically(place, graph)
    except OSError as exc:
        logger.info("the encoder's graph is not kept: %s", exc)
    return graph


@torch.no_grad()
def _torch_states(
    module: StatesModule, texts: Sequence[str], tokenizer: RouterTokenizer
) -> NDArray[np.float32]:
    rows = fit_rows(texts, np.zeros((len(texts), 3), np.float32), tokenizer)
    found: list[NDArray[np.float32]] = [np.empty(0, np.float32)] * len(texts)
    for indices in scoring_batches(rows):
        batch = collate(rows, indices)
        states = module(batch.input_ids, batch.attention_mask).numpy()
        for at, state in zip(indices, states, strict=True):
            found[at] = state
    return np.stack(found)
