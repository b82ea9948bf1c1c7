"""BERTScore (arXiv 1904.09675) by the ``bert-score`` package, batched by length."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.encoders import PACKAGED_MINILM, packaged_minilm
from hybridroute.training.quality.by_length import distinct, length_batches
from hybridroute.training.quality.protocol import Item, reference_of

MINILM_LAYER = 5
"""Of six; docs/quality.md shows how each layer agrees with correctness."""

# In characters, about four a token: the embeddings of one call stay below 0.1 GB.
_BUDGET = 160_000
_MOST = 256
# Of one pass of the encoder: a larger one no longer fits the processor's cache.
_PASS = 1_200
_LEAST_TEXTS, _MOST_TEXTS = 4, 64
Part = Literal["precision", "recall", "f1"]

_PARTS = {"precision": 0, "recall": 1, "f1": 2}

log = logging.getLogger(__name__)


class BertModel:
    """The package's scorer on one layer of one encoder.

    Parameters
    ----------
    place : str
        ``"minilm"`` (the packaged all-MiniLM-L6-v2), a folder, or a hub name.
    layer : int or None
        Which layer's states are compared; None takes ours for MiniLM and the package's choice for
        the models it knows.

    Raises
    ------
    ConfigError
        If the model cannot be loaded, or no layer is known for it.
    """

    def __init__(self, place: str, layer: int | None = None) -> None:
        from bert_score import BERTScorer
        from bert_score.utils import model2layers

        if layer is None:
            layer = MINILM_LAYER if place == PACKAGED_MINILM else model2layers.get(place)
        if layer is None:
            raise ConfigError(
                f"no layer is known for the BERTScore model {place!r}; give --bert-layer, "
                "about five sixths of its depth to begin with"
            )
        folder = str(packaged_minilm()) if place == PACKAGED_MINILM else place
        try:
            self.scorer: Any = BERTScorer(
                model_type=folder, num_layers=layer, use_fast_tokenizer=True, device="cpu"
            )
        except (OSError, ValueError, KeyError, RuntimeError, AssertionError) as exc:
            raise ConfigError(
                f"the BERTScore model {place!r}, layer {layer}, cannot be loaded "
                f"({type(exc).__name__}); give a folder with config.json, weights and tokenizer, "
                "and a layer it has"
            ) from exc
        self.name, self.layer = place, layer
        self._tokenizer: Any = self.scorer._tokenizer
        self.longest = int(self._tokenizer.model_max_length)
        self._cut = self._seen = 0
        self._last: tuple[tuple[str, ...], tuple[str, ...], NDArray[np.float64]] | None = None

    def compare(self, responses: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
        """Precision, recall and F1 of each pair, shape (n, 3), in [-1, 1].

        Both sides are cut at the encoder's longest input, as the package cuts them; ``notes``
        says how many were. A text that the tokenizer reads as nothing gets 0. Asked for the same
        pairs again, for another part of the score, it gives what it found.
        """
        asked_for = (tuple(responses), tuple(references))
        if self._last is None or self._last[:2] != asked_for:
            self._last = (*asked_for, self._compared(*asked_for))
        return self._last[2].copy()

    def _compared(self, responses: Sequence[str], references: Sequence[str]) -> NDArray[np.float64]:
        empty = np.array([self._length(text) <= 2 for text in responses], dtype=np.bool_)
        for text in set(references):
            self._length(text)
        found = np.zeros((len(responses), 3), dtype=np.float64)
        asked = np.flatnonzero(~empty).tolist()
        lengths = [max(len(responses[index]), len(references[index])) for index in asked]
        for batch in length_batches(lengths, budget=_BUDGET, most=_MOST):
            indices = [asked[place] for place in batch]
            ours = [responses[index] for index in indices]
            theirs = [references[index] for index in indices]
            parts = self.scorer.score(ours, theirs, batch_size=_texts_a_pass([*ours, *theirs]))
            found[indices] = np.stack([part.double().numpy() for part in parts], axis=1)
        return found

    def _length(self, text: str) -> int:
        """Tokens of ``text``, at least where it matters: short and long ones are counted."""
        self._seen += 1
        if 8 < len(text) <= self.longest and any(char.isalnum() for char in text):
            return len(text)
        length = len(self._tokenizer.encode(text.strip(), verbose=False))
        if length > self.longest:
            self._cut += 1
            if self._cut == 1:
                log.warning("BERTScore cuts texts at %d tokens", self.longest)
        return length

    def notes(self) -> tuple[str, ...]:
        """How many texts were cut, if any."""
        if not self._cut:
            return ()
        return (
            f"BERTScore cut {self._cut} of {self._seen} texts at {self.longest} tokens; what came "
            "after was not judged",
        )


def _texts_a_pass(texts: Sequence[str]) -> int:
    mean = sum(map(len, texts)) / len(texts)
    return int(min(_MOST_TEXTS, max(_LEAST_TEXTS, _PASS // max(mean, 1.0))))


@dataclass(frozen=True, slots=True, kw_only=True)
class BertScore:
    """BERTScore's precision, recall or F1, without idf weights or rescaling.

    An empty or blank response has quality 0 and is not asked for: the package fails on it.
    """

    part: Part
    model: BertModel

    @property
    def name(self) -> str:
        """As the registry knows it."""
        return "bertscore" if self.part == "f1" else f"bertscore-{self.part}"

    @property
    def source(self) -> str:
        """The paper, and the encoder's layer."""
        return (
            f"BERTScore (arXiv 1904.09675), {self.part}, {self.model.name}, "
            f"layer {self.model.layer}"
        )

    @property
    def needs_reference(self) -> bool:
        """Always."""
        return True

    @property
    def range(self) -> tuple[float, float]:
        """A mean of cosines."""
        return (-1.0, 1.0)

    @property
    def blank(self) -> float:
        """0."""
        return 0.0

    def score(self, batch: Sequence[Item]) -> NDArray[np.float64]:
        """Quality of each item, shape (n,)."""
        items, inverse = distinct(batch)
        found = self.model.compare(
            [item.response for item in items], [reference_of(item) for item in items]
        )
        column: NDArray[np.float64] = found[:, _PARTS[self.part]]
        return column[inverse]

    def notes(self) -> tuple[str, ...]:
        """How many texts were cut at the encoder's longest input."""
        return self.model.notes()

    def close(self) -> None:
        """The model is freed with its last user."""
