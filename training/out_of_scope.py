"""Rows that a router cannot read, counted as the client routes them: to one arm, unscored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.pool import Pool
from hybridroute.edge_runtime.scope import is_out_of_scope
from hybridroute.edge_runtime.tokenizer import Encoded

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

UNKNOWN_TOKEN_LIMIT = 0.3
"""Of new bundles. A query with a larger share of unknown tokens is out of scope."""
BELOW_ALL = -1.0
"""Below every threshold, 0 as well: where the cloud answers whatever is set."""
ROUTER_DECIDES = -1
"""In place of an arm's column, where a row is in scope."""


class Reader(Protocol):
    """Reads texts as the device does: a scorer, or a tokenizer."""

    def encode(self, text: str) -> Encoded:
        """Tokenize one text."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scope:
    """Which of n texts a router cannot read.

    Parameters
    ----------
    outside : ndarray of bool, shape (n,)
    limit : float
        The share of unknown tokens above which a text is out of scope, in [0, 1].
    """

    outside: Mask
    limit: float

    @classmethod
    def of(
        cls, reader: Reader, texts: Sequence[str], *, limit: float = UNKNOWN_TOKEN_LIMIT
    ) -> Self:
        """By the tokenizer that the router reads the texts with. Raises ScoringError."""
        return cls(outside=outside_of(reader, texts, limit), limit=limit)


def outside_of(reader: Reader, texts: Sequence[str], limit: float) -> Mask:
    """Whether each text is out of scope, shape (n,). Raises ScoringError."""
    shares = (reader.encode(text).unknown_share for text in texts)
    return np.array([is_out_of_scope(share, limit) for share in shares], dtype=np.bool_)


def as_routed(scores: ArrayLike, outside: Mask) -> Floats:
    """Scores of two arms, shape (n,), with the rows out of scope below every threshold.

    They go to the cloud before any other, as the client sends them there at every setting.
    """
    return np.where(outside, BELOW_ALL, np.asarray(scores, dtype=np.float64))


def standing_in(outside: Mask, present: Mask, ranking: Floats) -> NDArray[np.intp]:
    """Of several arms: which column answers each row out of scope, shape (n,).

    Parameters
    ----------
    outside : ndarray of bool, shape (n,)
    present : ndarray of bool, shape (n, m)
        Whether the row has an outcome of the arm; each row has one.
    ranking : ndarray, shape (m,)
        The first by it answers; where a row has no outcome of that arm, the next does.

    Returns
    -------
    ndarray of int, shape (n,)
        ``ROUTER_DECIDES`` where a row is in scope.
    """
    # An arm that nothing was known of ranks last, but above one without an outcome here.
    held = np.maximum(ranking, np.finfo(np.float64).min)
    first = np.where(present, held, -np.inf).argmax(axis=1)
    found: NDArray[np.intp] = np.where(outside, first, ROUTER_DECIDES)
    return found


def out_of_scope_ranking(pool: Pool) -> Floats:
    """Of a pool's arms, shape (m,): the best single one first, the others by their quality."""
    held = [arm.quality if arm.name != pool.best_single else np.inf for arm in pool.arms]
    return np.array(held, dtype=np.float64)


def answered(chosen: NDArray[np.intp], fixed: NDArray[np.intp] | None) -> NDArray[np.intp]:
    """The arms that a router chose, shape (n,), but those that stand in where it cannot read."""
    if fixed is None:
        return chosen
    found: NDArray[np.intp] = np.where(fixed == ROUTER_DECIDES, chosen, fixed)
    return found


def told(source: str, outside: Mask) -> str:
    """Where rows come from, with how many of them are out of scope, where some are."""
    count = int(outside.sum())
    return f"{source}, {count} of them out of scope" if count else source


def check_any_inside(outside: Mask) -> None:
    """Refuse to calibrate a router on rows of which it can read none.

    Raises
    ------
    TrainingError
        Says so.
    """
    if outside.all():
        raise TrainingError(
            f"none of the {len(outside)} calibration rows is one that this router can read: too "
            "many of their tokens are unknown to its tokenizer. Take an encoder that knows their "
            "language"
        )
