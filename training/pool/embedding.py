"""Texts -> states, by the very graph that the device runs, one text at a time; kept on disk."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ScoringError, TrainingError
from hybridroute.edge_runtime.onnx_scorer import ATTENTION_MASK, EMBEDDING, INPUT_IDS, open_session
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.pool.estimator import Queries

States = NDArray[np.float32]

_AT_ONCE = 2000


class Embedder:
    """Turns texts into what estimators see of them.

    Parameters
    ----------
    graph : bytes
        ``input_ids`` and ``attention_mask`` to ``embedding``; a pool's whole router will do.
    tokenizer : str
        The text of its tokenizer.json.
    max_tokens : int
    cache : Path or None
        A folder where states are kept by text and graph, for the next run.
    workers : int or None
        Texts at a time, on one thread each; as many as there are cores. Each text is a batch of
        its own, as on the device: batch-mates would move an int8 state.
    """

    def __init__(
        self,
        graph: bytes,
        tokenizer: str,
        *,
        max_tokens: int,
        cache: Path | None = None,
        workers: int | None = None,
    ) -> None:
        self._session = open_session(graph, 1)
        self._tokenizer = RouterTokenizer.from_bytes(tokenizer.encode(), max_tokens=max_tokens)
        self._workers = workers or os.cpu_count() or 1
        name = hashlib.sha256(graph + tokenizer.encode() + str(max_tokens).encode()).hexdigest()
        self._kept = None if cache is None else _KeptStates(cache / f"{name[:32]}.sqlite")

    def queries(self, texts: Sequence[str]) -> Queries:
        """What estimators see of n texts. Raises ScoringError, TrainingError as :meth:`states`."""
        return Queries(
            embeddings=self.states(texts),
            characters=np.array([len(text) for text in texts], dtype=np.int64),
            tokens=np.array([len(self._ids(text)) for text in texts], dtype=np.int64),
            texts=tuple(texts),
        )

    def states(self, texts: Sequence[str]) -> States:
        """Of unit length, shape (n, width).

        Raises
        ------
        ScoringError
            If the graph fails.
        TrainingError
            If the folder of kept states cannot be used.
        """
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        known = {} if self._kept is None else self._kept.read(wanted)
        missing = [key for key in wanted if key not in known]
        with ThreadPoolExecutor(self._workers) as pool:
            for start in range(0, len(missing), _AT_ONCE):
                part = missing[start : start + _AT_ONCE]
                made = dict(
                    zip(part, pool.map(self._state, (wanted[key] for key in part)), strict=True)
                )
                if self._kept is not None:
                    self._kept.add(made)
                known |= made
        return np.stack([known[key] for key in keys]) if keys else np.empty((0, 0), np.float32)

    def _ids(self, text: str) -> tuple[int, ...]:
        return self._tokenizer.encode(text).ids

    def _state(self, text: str) -> States:
        ids = np.array([self._ids(text)], dtype=np.int64)
        feeds = {INPUT_IDS: ids, ATTENTION_MASK: np.ones_like(ids)}
        try:
            found: States = self._session.run([EMBEDDING], feeds)[0][0]
        except Exception as exc:  # onnxruntime raises its own classes, all of them from Exception
            raise ScoringError(f"the encoder failed on {ids.shape[1]} tokens: {exc}") from exc
        return found


class _KeptStates:
    """States by the hash of their text, in one file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, keys: Iterable[bytes]) -> dict[bytes, States]:
        wanted = set(keys)
        with closing(self._open()) as held:
            rows = held.execute("SELECT text, state FROM states")
            return {key: np.frombuffer(state, np.float32) for key, state in rows if key in wanted}

    def add(self, states: Mapping[bytes, States]) -> None:
        rows = [(key, state.tobytes()) for key, state in states.items()]
        with closing(self._open()) as held, held:
            held.executemany("INSERT OR IGNORE INTO states VALUES (?, ?)", rows)

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            held = sqlite3.connect(self._path, timeout=60)
            held.execute("CREATE TABLE IF NOT EXISTS states (text BLOB PRIMARY KEY, state BLOB)")
        except (OSError, sqlite3.Error) as exc:
            raise TrainingError(
                f"{self._path} cannot be used to keep states ({exc}); delete it, or give another "
                "folder"
            ) from exc
        return held
