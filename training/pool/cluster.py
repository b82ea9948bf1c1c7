"""k-means clusters of the queries, and each arm's mean quality within them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.pool.estimator import EstimateKind, Estimates, Queries
from hybridroute.training.pool.group_means import GroupMeans
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.masked import checked

Floats = NDArray[np.float64]

_STARTS = 4
_MOST_STEPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterBest:
    """Finds clusters and takes each arm's means in them; the policy then picks a cluster's best.

    Parameters
    ----------
    clusters : int
        As many as there are rows, if those are fewer.
    """

    clusters: int = 16

    def __post_init__(self) -> None:
        if self.clusters < 1:
            raise ConfigError(f"clusters is {self.clusters}; give at least 1")

    @property
    def name(self) -> str:
        """As ``--estimator`` names it."""
        return "cluster-best"

    def fit(self, queries: Queries, quality: Floats, *, seed: int) -> FittedClusters:
        """Fit on qualities of shape (n, m). Raises DataError as checked."""
        held, present = checked(queries, quality)
        states = queries.embeddings.astype(np.float64)
        middle = states.mean(axis=0)
        states -= middle
        centres = k_means(states, min(self.clusters, len(states)), seed=seed)
        means = GroupMeans.of(_nearest(states, centres), len(centres), held, present)
        return FittedClusters(middle=middle, centres=centres, means=means)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FittedClusters:
    """Centres of shape (clusters, d), and the means in their clusters.

    States are measured from their ``middle``: near each other, as some encoders' are, float32 would
    lose their distances.
    """

    middle: Floats
    centres: Floats
    means: GroupMeans

    @property
    def kind(self) -> EstimateKind:
        """Of qualities."""
        return "quality"

    def estimate(self, queries: Queries) -> Estimates:
        """Of n queries."""
        return self.means.looked_up(_nearest(queries.embeddings - self.middle, self.centres))

    def head(self) -> onnx.GraphProto:
        """The same computation in ONNX."""
        graph = HeadGraph()
        state = graph.embedding(self.centres.shape[1])
        state = graph.op("Sub", state, graph.floats(self.middle))
        towards = graph.op("MatMul", state, graph.floats(self.centres.T))
        nearness = graph.op("Sub", towards, graph.floats(_half_squares(self.centres)))
        nearest = graph.op("ArgMax", nearness, attributes={"axis": 1, "keepdims": 0})
        return graph.finished(*self.means.nodes(graph, nearest))


def k_means(states: Floats, clusters: int, *, seed: int) -> Floats:
    """Centres of the best of some starts of Lloyd's algorithm, begun as k-means++ (Arthur and
    Vassilvitskii, SODA 2007): shape (clusters, d)."""
    random = np.random.default_rng(seed)
    states = states.astype(np.float32)  # twice as fast; the means come out in float64
    found = [_lloyd(states, _spread_out(states, clusters, random)) for _ in range(_STARTS)]
    return min(found, key=lambda one: one[0])[1].astype(np.float64)


def _spread_out(states: Floats, clusters: int, random: np.random.Generator) -> Floats:
    chosen = [states[random.integers(len(states))]]
    off = np.full(len(states), np.inf)
    while len(chosen) < clusters:
        off = np.minimum(off, np.square(states - chosen[-1]).sum(axis=1))
        total = off.sum()
        weights = off / total if total > 0.0 else None
        chosen.append(states[random.choice(len(states), p=weights)])
    return np.stack(chosen)


def _lloyd(states: Floats, centres: Floats) -> tuple[float, Floats]:
    """The summed squared distance, and the centres."""
    nearest = np.full(len(states), -1)
    for _ in range(_MOST_STEPS):
        before, nearest = nearest, _nearest(states, centres)
        if (before == nearest).all():
            break
        belongs = (nearest[None, :] == np.arange(len(centres))[:, None]).astype(states.dtype)
        sizes = belongs.sum(axis=1, keepdims=True)
        # An empty cluster stays where it is.
        centres = np.where(sizes > 0.0, belongs @ states / np.maximum(sizes, 1.0), centres)
    return float(np.square(states - centres[nearest]).sum()), centres


def _nearest(states: Floats, centres: Floats) -> NDArray[np.intp]:
    found: NDArray[np.intp] = (states @ centres.T - _half_squares(centres)).argmax(axis=1)
    return found


def _half_squares(centres: Floats) -> Floats:
    halves: Floats = 0.5 * np.square(centres).sum(axis=1)
    return halves
