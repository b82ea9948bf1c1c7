"""Teacher-forced log-likelihoods under a BART checkpoint, batched by length."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.quality.by_length import length_batches

LONGEST = 1024
"""Tokens on either side, as upstream cuts."""

_SOURCE_BUDGET = 8192
# The logits of one batch are this many rows of the vocabulary: 0.2 GB for bart-large-cnn.
_TARGET_BUDGET = 1024
_MOST = 64

log = logging.getLogger(__name__)


class BartModel:
    """A sequence-to-sequence model and its tokenizer.

    Parameters
    ----------
    place : str
        A folder, or a hub name such as ``facebook/bart-large-cnn``.

    Raises
    ------
    ConfigError
        If it cannot be loaded.
    """

    def __init__(self, place: str) -> None:
        from safetensors import SafetensorError
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(place)
            self._model: Any = AutoModelForSeq2SeqLM.from_pretrained(place).float().eval()
        except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as exc:
            raise ConfigError(
                f"the BART model {place!r} cannot be loaded ({type(exc).__name__}); give a folder "
                "with config.json, weights and tokenizer, or a hub name where a hub can be reached"
            ) from exc
        self.name = place
        self.longest = min(LONGEST, int(self._model.config.max_position_embeddings))
        self._cut = {"source": 0, "target": 0}
        self._seen = 0

    @property
    def vocabulary(self) -> int:
        """Number of tokens the model chooses from."""
        return int(self._model.config.vocab_size)

    def mean_log_likelihood(
        self, sources: Sequence[str], targets: Sequence[str]
    ) -> NDArray[np.float64]:
        """Mean over a target's tokens of log p(token | tokens before it, source), shape (n,).

        Special tokens (``<s>``, ``</s>``) count in the mean, as upstream counts them. Both sides
        are cut after ``longest`` tokens; ``notes`` says how many were.
        """
        source_ids = [self._ids(text, "source") for text in sources]
        target_ids = [self._ids(text, "target") for text in targets]
        self._seen += len(targets)
        costs = [
            max(len(target) * (_SOURCE_BUDGET // _TARGET_BUDGET), len(source))
            for source, target in zip(source_ids, target_ids, strict=True)
        ]
        found = np.empty(len(targets), dtype=np.float64)
        for indices in length_batches(costs, budget=_SOURCE_BUDGET, most=_MOST):
            found[indices] = self._batch(
                [source_ids[index] for index in indices], [target_ids[index] for index in indices]
            )
        return found

    def _ids(self, text: str, side: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, verbose=False)["input_ids"]
        if len(ids) <= self.longest:
            return ids
        self._cut[side] += 1
        if sum(self._cut.values()) == 1:
            log.warning("BARTScore cuts texts at %d tokens; a %s has more", self.longest, side)
        return [*ids[: self.longest - 1], ids[-1]]

    @torch.inference_mode()
    def _batch(
        self, source_ids: Sequence[Sequence[int]], target_ids: Sequence[Sequence[int]]
    ) -> NDArray[np.float64]:
        config = self._model.config
        sources, source_mask = _padded(source_ids, config.pad_token_id)
        targets, target_mask = _padded(target_ids, config.pad_token_id)
        start = torch.full((len(targets), 1), config.decoder_start_token_id)
        logits = self._model(
            input_ids=sources,
            attention_mask=source_mask,
            # Padding stands on the right, where the causal mask hides it from what counts.
            decoder_input_ids=torch.cat([start, targets[:, :-1]], dim=1),
            use_cache=False,
        ).logits  # (batch, tokens, vocabulary)
        chosen = logits.gather(2, targets.unsqueeze(2)).squeeze(2) - logits.logsumexp(dim=2)
        means = (chosen.double() * target_mask).sum(dim=1) / target_mask.sum(dim=1)
        held: NDArray[np.float64] = means.numpy()
        return held

    def notes(self) -> tuple[str, ...]:
        """How many texts were cut, if any."""
        if not any(self._cut.values()):
            return ()
        return (
            f"BARTScore cut {self._cut['source']} sources and {self._cut['target']} targets of "
            f"{self._seen} at {self.longest} tokens; what came after was not judged",
        )


def _padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, both of shape (rows, longest row)."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return ids, mask
