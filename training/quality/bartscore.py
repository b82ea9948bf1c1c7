"""BARTScore (arXiv 2106.11520): mean log-likelihood of one text given another under a BART."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.quality.bart_model import BartModel
from hybridroute.training.quality.by_length import distinct
from hybridroute.training.quality.protocol import Item, reference_of

Direction = Literal["faithfulness", "precision", "recall", "f"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BartScore:
    """BARTScore in one of its four directions (section 3.2); 0 is the best value.

    ``faithfulness`` is query -> response, ``precision`` reference -> response, ``recall``
    response -> reference, ``f`` the arithmetic mean of the last two.

    A blank response is not asked for: with nothing but special tokens to predict, BART would rate
    it highly. It gets the log-likelihood of guessing tokens uniformly, -log(vocabulary).
    """

    direction: Direction
    model: BartModel

    @property
    def name(self) -> str:
        """As the registry knows it."""
        return f"bartscore-{self.direction}"

    @property
    def source(self) -> str:
        """The paper, and the checkpoint."""
        return f"BARTScore (arXiv 2106.11520), {self.direction}, {self.model.name}"

    @property
    def needs_reference(self) -> bool:
        """All but faithfulness."""
        return self.direction != "faithfulness"

    @property
    def range(self) -> tuple[float, float]:
        """A mean of log-probabilities."""
        return (-np.inf, 0.0)

    @property
    def blank(self) -> float:
        """-log(vocabulary size)."""
        return -float(np.log(self.model.vocabulary))

    def score(self, batch: Sequence[Item]) -> NDArray[np.float64]:
        """Quality of each item, shape (n,), in nats per target token."""
        items, inverse = distinct(batch)
        responses = [item.response for item in items]
        if self.direction == "faithfulness":
            found = self.model.mean_log_likelihood([item.query for item in items], responses)
            return found[inverse]
        references = [reference_of(item) for item in items]
        parts = []
        if self.direction in ("precision", "f"):
            parts.append(self.model.mean_log_likelihood(references, responses))
        if self.direction in ("recall", "f"):
            parts.append(self.model.mean_log_likelihood(responses, references))
        mean: NDArray[np.float64] = np.mean(parts, axis=0)
        return mean[inverse]

    def notes(self) -> tuple[str, ...]:
        """How many texts were cut at the model's longest input."""
        return self.model.notes()

    def close(self) -> None:
        """The model is freed with its last user."""
