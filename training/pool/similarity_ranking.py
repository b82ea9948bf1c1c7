"""Similarity-weighted ranking (RouteLLM, arXiv 2406.18665): Bradley-Terry by nearness.

Every fitted query is a tournament of its arms. For a new query each tournament weighs
10 * 10^(s / s_max), s being its cosine and s_max the largest one, as in RouteLLM's public code
(there is no other tuning), and the arms' ratings are the Bradley-Terry fit of the weighed battles.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.pool.battles import strengths, wins
from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.head_graph import HeadGraph, rounded_rows
from hybridroute.training.pool.masked import arm_means, checked

Floats = NDArray[np.float64]

STEPS = 12
"""From the ratings of all rows to a query's own: with 200 rows of 16 arms more moved ratings, which
span about 1, by up to 2.2e-4; with more rows or fewer arms by less."""
_FIRST_STEPS = 200
_PRIOR = 0.5
"""Battles that each arm won of each other one beforehand, so that no rating is infinite."""
_BLOCK = 1024
_TURN = float(np.log(10.0))
_LEAST_COSINE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarityRanking:
    """Keeps the fitted tournaments.

    Parameters
    ----------
    tiers : int
        More arms than this are ranked in so many groups of like mean quality, whose members share
        a rating; RouteLLM's code ranks 10 groups.
    """

    tiers: int = 16

    def __post_init__(self) -> None:
        if self.tiers < 2:
            raise ConfigError(f"tiers is {self.tiers}; give at least 2")

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        return "sw"

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedRanking:  # noqa: ARG002
        """Fit on qualities of shape (n, m); nothing here is random. Raises DataError as checked."""
        held, present = checked(queries, quality)
        tier_of, tiers = _tiers(arm_means(held, present), self.tiers)
        belongs = (tier_of[:, None] == np.arange(tiers)).astype(np.float64)  # (m, tiers)
        counted = present @ belongs
        mean = np.where(counted > 0.0, held @ belongs / np.maximum(counted, 1.0), np.nan)
        won = wins(mean)
        start = strengths(
            won.sum(axis=0)[None] + _prior(tiers), np.ones(tiers), steps=_FIRST_STEPS
        )[0]
        return FittedRanking(
            rows=rounded_rows(queries.embeddings),
            twice_won=np.rint(2.0 * won.reshape(len(won), -1)).astype(np.int8),
            start=start,
            tier_of=tier_of,
        )


def _tiers(means: Floats, most: int) -> tuple[NDArray[np.intp], int]:
    """The tier of each arm, and how many there are."""
    arms = len(means)
    if arms <= most:
        return np.arange(arms), arms
    ranked = np.argsort(np.argsort(means, kind="stable"))
    return ranked * most // arms, most


def _prior(tiers: int) -> Floats:
    held: Floats = _PRIOR * (1.0 - np.eye(tiers))
    return held


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedRanking:
    """Stored rows (n, d) and, of each row's tournament, twice its wins, (n, tiers * tiers)."""

    rows: Floats
    twice_won: NDArray[np.int8]
    start: Floats
    tier_of: NDArray[np.intp]

    @property
    def kind(self) -> EstimateKind:
        """Log-odds: the differences of two arms' estimates mean something."""
        return "margin"

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries: natural log-odds of winning against the mean arm."""
        tiers = len(self.start)
        found = np.empty((len(queries), tiers))
        for start in range(0, len(queries), _BLOCK):
            part = slice(start, start + _BLOCK)
            weights = self._weights(queries.embeddings[part].astype(np.float64) @ self.rows.T)
            won = (weights @ self.twice_won).reshape(-1, tiers, tiers)
            found[part] = np.log(strengths(won + self._prior_won(), self.start, steps=STEPS))
        return Estimates(mean=found[:, self.tier_of])

    def _prior_won(self) -> Floats:
        return 2.0 * _prior(len(self.start)) / len(self.rows)

    def _weights(self, cosine: Floats) -> Floats:
        """Of the rows for each query; their sum is 1, (n, rows)."""
        largest = np.maximum(cosine.max(axis=1, keepdims=True), _LEAST_COSINE)
        weights = np.exp(_TURN * (cosine / largest - 1.0))
        shares: Floats = weights / weights.sum(axis=1, keepdims=True)
        return shares

    def head(self) -> onnx.GraphProto:
        """The same computation in ONNX, rows and battles stored in int8."""
        graph, tiers = HeadGraph(), len(self.start)
        cosine = graph.op(
            "MatMul", graph.embedding(self.rows.shape[1]), graph.stored_rows(self.rows)
        )
        largest = graph.op("ReduceMax", cosine, graph.integers([1]), attributes={"keepdims": 1})
        largest = graph.op("Max", largest, graph.floats(_LEAST_COSINE))
        logits = graph.op("Mul", graph.op("Div", cosine, largest), graph.floats(_TURN))
        # A softmax of ln(10) s / s_max is 10^(s / s_max) over its sum.
        weights = graph.op("Softmax", logits, attributes={"axis": 1})
        won = graph.op("MatMul", weights, graph.whole(self.twice_won))
        won = graph.op("Reshape", won, graph.integers([-1, tiers, tiers]))
        won = graph.op("Add", won, graph.floats(self._prior_won()))
        rated = graph.op("Log", _strength_nodes(graph, won, self.start))
        rated = graph.op("Squeeze", rated, graph.integers([2]))
        return graph.finished(
            graph.op("Gather", rated, graph.integers(self.tier_of), attributes={"axis": 1})
        )


def _strength_nodes(graph: HeadGraph, won: str, start: Floats) -> str:
    """:func:`strengths` step by step: (batch, m, 1)."""
    lost = graph.op("Transpose", won, attributes={"perm": [0, 2, 1]})
    held = graph.floats(start[None, :, None])
    for _ in range(STEPS):
        across = graph.op("Transpose", held, attributes={"perm": [0, 2, 1]})
        both = graph.op("Add", held, across)
        gained = graph.op("Div", graph.op("Mul", won, across), both)
        given = graph.op("Div", lost, both)
        moved = graph.op(
            "Div",
            graph.total(gained, axis=2, keep=True),
            graph.total(given, axis=2, keep=True),
        )
        held = graph.op("Sqrt", graph.op("Mul", held, moved))
        mean = graph.op(
            "ReduceMean",
            graph.op("Log", held),
            graph.integers([1]),
            attributes={"keepdims": 1},
        )
        held = graph.op("Div", held, graph.op("Exp", mean))
    return held
