"""A scorer that is loaded when the first text is scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from hybridroute.edge_runtime.protocols import Assessment, ScoreKind, Scorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LazyScorer:
    """Satisfies Scorer; loads the real one once, also when several threads ask at once.

    Parameters
    ----------
    load : callable
        Makes the real scorer.
    score_kind : str
        Known from the manifest, so that it needs no loading.
    """

    def __init__(self, load: Callable[[], Scorer], score_kind: ScoreKind) -> None:
        self._load = load
        self._score_kind = score_kind
        self._loaded: Scorer | None = None
        self._lock = Lock()

    @property
    def score_kind(self) -> ScoreKind:
        """What a score estimates."""
        return self._score_kind

    def score(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Scores of shape (n,) in [0, 1], for n texts."""
        return self._scorer().score(texts)

    def assess(self, text: str) -> Assessment:
        """Score one text and say how much of it the tokenizer knows."""
        return self._scorer().assess(text)

    def _scorer(self) -> Scorer:
        scorer = self._loaded
        if scorer is None:
            with self._lock:
                scorer = self._loaded
                if scorer is None:
                    scorer = self._loaded = self._load()
        return scorer
