"""Clusters and each arm's means in them: found, empty, and the same on the device."""

from __future__ import annotations

import numpy as np
import pytest
from pool_cases import outcomes_of, queries_of, run_head

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.pool.cluster import ClusterBest, k_means
from hybridroute.training.pool.estimator import Queries

CENTRES = 10.0 * np.eye(4)
OF = np.arange(200) % 4
STATES = CENTRES[OF] + np.random.default_rng(0).normal(0.0, 0.3, (200, 4))


def queries(states: np.ndarray) -> Queries:
    ones = np.ones(len(states), dtype=np.int64)
    return Queries(embeddings=states.astype(np.float32), characters=ones, tokens=ones)


@pytest.mark.parametrize("seed", range(5))
def test_clusters_that_stand_apart_are_found(seed: int) -> None:
    found = k_means(STATES, 4, seed=seed)
    off = np.linalg.norm(found[:, None] - CENTRES[None], axis=2)
    assert sorted(off.argmin(axis=1)) == [0, 1, 2, 3]
    assert off.min(axis=1).max() < 0.2
    assert (k_means(STATES, 4, seed=seed) == found).all()


def test_each_arm_is_best_in_its_own_cluster() -> None:
    quality = (OF[:, None] == np.arange(4)).astype(float)
    fitted = ClusterBest(clusters=4).fit(queries(STATES), quality, seed=0)
    assert (fitted.estimate(queries(CENTRES)).mean.argmax(axis=1) == np.arange(4)).all()
    assert fitted.kind == "quality"


def test_equal_rows_and_fewer_rows_than_clusters_do_no_harm() -> None:
    same = queries(np.ones((5, 3)))
    fitted = ClusterBest(clusters=16).fit(same, np.eye(5)[:, :2], seed=0)
    found = fitted.estimate(same)
    assert len(fitted.centres) == 5
    assert np.isfinite(found.mean).all()
    assert (found.mean == found.mean[0]).all()


@pytest.mark.parametrize("bad", [0, -3])
def test_there_is_at_least_one_cluster(bad: int) -> None:
    with pytest.raises(ConfigError, match=f"clusters is {bad}; give at least 1"):
        ClusterBest(clusters=bad)


@pytest.mark.parametrize("away", [0.0, 300.0])
def test_the_graph_says_the_same_also_for_states_near_each_other_far_from_0(away: float) -> None:
    held = queries_of(120)
    moved = queries(held.embeddings + away)
    fitted = ClusterBest(clusters=6).fit(moved, outcomes_of(held, 3, missing=0.2), seed=0)
    found, wanted = run_head(fitted, moved), fitted.estimate(moved)
    same = np.isclose(found.mean, wanted.mean, atol=1e-6).all(axis=1)
    assert same.mean() > 0.98, "but for ties between two centres"
    assert found.uncertainty is not None
    assert found.uncertainty.shape == (120, 3)
