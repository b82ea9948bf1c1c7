"""A share of the queries goes to an arm drawn at random, so that feedback can say how others do."""

from __future__ import annotations

import random
from collections.abc import Sequence
from threading import Lock

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.protocols import Arm


class Exploration:
    """Draws the arm for a share of the queries that the score decides. Safe from several threads.

    Parameters
    ----------
    share : float
        In [0, 1]. Each arm that could answer is drawn with the same chance, the one that the score
        picked too; of two arms half the share goes elsewhere.
    seed : int or None
        For repeatable draws; None draws differently in every process.

    Raises
    ------
    ConfigError
        If the share is out of range.
    """

    def __init__(self, share: float, *, seed: int | None = None) -> None:
        number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if not number or not 0.0 <= share <= 1.0:
            raise ConfigError(f"exploration is {share!r}; give a number from 0 to 1, such as 0.1")
        self.share = float(share)
        self._draw = random.Random(seed)  # noqa: S311 (an experiment's draw, not a secret)
        self._lock = Lock()

    def choose(self, picked: Arm, capable: Sequence[Arm]) -> tuple[Arm, float]:
        """The arm that answers, and the chance it had (its propensity), above 0."""
        if self.share == 0.0:
            return picked, 1.0
        with self._lock:
            explores = self._draw.random() < self.share
            arm = capable[self._draw.randrange(len(capable))] if explores else picked
        each = self.share / len(capable)
        return arm, (1.0 - self.share + each) if arm is picked else each


def exploration_of(given: float | Exploration) -> Exploration:
    """An Exploration of a share, or the one that was given."""
    return given if isinstance(given, Exploration) else Exploration(given)
