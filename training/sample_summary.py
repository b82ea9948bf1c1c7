"""What one run of the sampling stage did, in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hybridroute.training.sampled_response import Response


@dataclass(slots=True, kw_only=True)
class ArmTally:
    """What was drawn from one arm in this run.

    Parameters
    ----------
    arm, model : str
    already : int
        Responses that were there before.
    left : int
        Responses still to draw.
    drawn, errors : int
        Responses of this run, and how many of them are errors.
    failed : int
        Errors among all that is there, earlier runs' included.
    last_error : str or None
        The last of those.
    prompt_tokens, completion_tokens : int
        Of this run's responses.
    cost_usd : float
    seconds : float
        What this run took, the loading of the model included.
    """

    arm: str
    model: str
    already: int
    left: int
    drawn: int = 0
    errors: int = 0
    failed: int = 0
    last_error: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0

    def add(self, response: Response) -> None:
        """Count one response."""
        self.drawn += 1
        self.left -= 1
        self.errors += response.error is not None
        self.prompt_tokens += response.prompt_tokens or 0
        self.completion_tokens += response.completion_tokens or 0
        self.cost_usd += response.cost_usd or 0.0

    def failures(self, errors: Sequence[str]) -> None:
        """Take in why responses are errors, earlier runs' included, the last reason last."""
        self.failed = len(errors)
        self.last_error = errors[-1] if errors else None

    @property
    def is_barren(self) -> bool:
        """Whether all that is there are errors."""
        return 0 < self.failed == self.already + self.drawn

    @property
    def tokens_per_second(self) -> float:
        """Tokens generated in a second."""
        return self.completion_tokens / self.seconds if self.seconds > 0 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The JSON object."""
        return {
            "model": self.model,
            "already": self.already,
            "drawn": self.drawn,
            "left": self.left,
            "errors": self.errors,
            "failed": self.failed,
            "last_error": self.last_error,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "tokens_per_second": round(self.tokens_per_second, 1),
            "cost_usd": round(self.cost_usd, 6),
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """What one run of the stage did.

    Parameters
    ----------
    out : Path
    tallies : tuple of ArmTally
    spent_usd : float
        By all runs on this file.
    over_budget : tuple of str
        Arms that stopped because their next call might have crossed the budget.
    """

    out: Path
    tallies: tuple[ArmTally, ...]
    spent_usd: float
    over_budget: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every response is there."""
        return all(tally.left == 0 for tally in self.tallies)

    def to_dict(self) -> dict[str, Any]:
        """The JSON document."""
        return {
            "out": str(self.out),
            "complete": self.complete,
            "over_budget": list(self.over_budget),
            "spent_usd": round(self.spent_usd, 6),
            "arms": {tally.arm: tally.to_dict() for tally in self.tallies},
        }
