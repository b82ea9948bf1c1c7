"""Conditional log-likelihood under a local GGUF model (GPTScore, arXiv 2302.04166)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.quality.by_length import distinct
from hybridroute.training.quality.gguf_model import GgufModel
from hybridroute.training.quality.protocol import Item, reference_of

Target = Literal["response", "reference"]


class GgufLikelihood:
    """Mean over the target's tokens of log p(token | tokens before it, prompt); 0 is the best.

    ``response``: how likely the model finds the response after the query; no reference needed.
    ``reference``: how likely it finds the reference after query and response, so a response that
    leads to the reference rates high. Both as plain text, ``Question: ... Answer: ...``, without a
    chat template, so that base and chat models can be used alike.

    A blank response gets -log(vocabulary), the log-likelihood of guessing uniformly.

    Parameters
    ----------
    model : GgufModel
        Closed with this.
    """

    range = (-np.inf, 0.0)

    def __init__(self, target: Target, model: GgufModel, model_name: str) -> None:
        self.name = f"loglik-{target}"
        self.source = f"GPTScore (arXiv 2302.04166), {target} under {model_name}"
        self.needs_reference = target == "reference"
        self.blank = -float(np.log(model.vocabulary))
        self._target = target
        self._model = model
        self._cut = {"prompts": 0, "targets": 0}
        self._seen = 0

    def score(self, batch: Sequence[Item]) -> NDArray[np.float64]:
        """Quality of each item, shape (n,), in nats per token."""
        items, inverse = distinct(batch)
        found = np.empty(len(items), dtype=np.float64)
        # Neighbours share the longest beginnings, which the model then need not read again.
        for index in sorted(range(len(items)), key=lambda at: self._prompt(items[at])):
            found[index] = self._one(items[index])
        return found[inverse]

    def _prompt(self, item: Item) -> str:
        asked = f"Question: {item.query}\nAnswer:"
        if self._target == "response":
            return asked
        return f"{asked} {item.response}\nIn short, the right answer is:"

    def _one(self, item: Item) -> float:
        wanted = item.response if self._target == "response" else reference_of(item)
        target = self._model.tokenize(f" {wanted.strip()}", begin=False)
        prefix = self._model.tokenize(self._prompt(item), begin=True)
        self._seen += 1
        longest = self._model.context_tokens // 2
        if len(target) > longest:
            self._cut["targets"] += 1
            del target[longest:]
        room = self._model.context_tokens - len(target)
        if len(prefix) > room:
            self._cut["prompts"] += 1
            del prefix[:-room]  # the end of the prompt is nearest to what is asked
        return float(np.mean(self._model.log_probabilities(prefix, target)))

    def notes(self) -> tuple[str, ...]:
        """How many prompts and targets did not fit the context."""
        if not any(self._cut.values()):
            return ()
        return (
            f"{self.name} cut {self._cut['prompts']} prompts at their beginning and "
            f"{self._cut['targets']} targets at their end, of {self._seen}, to fit "
            f"{self._model.context_tokens} tokens",
        )

    def close(self) -> None:
        """Free the model."""
        self._model.close()
