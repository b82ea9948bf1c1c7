"""The baselines: right on data made for them, and in [0, 1] always."""

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.baselines import (
    LengthBaseline,
    LogisticBaseline,
    NeighbourBaseline,
    RandomBaseline,
)
from hybridroute.training.metrics import evaluate_scores


def two_clusters(n=200, seed=0):
    draw = np.random.default_rng(seed)
    easy = draw.random(n) < 0.5
    centre = np.where(easy[:, None], [1.0, 0.0, 0.2], [0.0, 1.0, 0.2])
    return centre + 0.2 * draw.normal(size=(n, 3)), easy.astype(float), np.ones(n)


def test_random_is_seeded_and_worth_a_half():
    assert RandomBaseline(seed=1).score(5).tolist() == RandomBaseline(seed=1).score(5).tolist()
    assert RandomBaseline(seed=1).score(5).tolist() != RandomBaseline(seed=2).score(5).tolist()
    draw = np.random.default_rng(0)
    edge = (draw.random(5000) < 0.5).astype(float)
    found = evaluate_scores(RandomBaseline(seed=3).score(5000), edge, np.ones(5000))
    assert found.apgr == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("long_is_hard", [True, False])
def test_length_learns_its_direction(long_is_hard):
    texts = ["x" * size for size in (5, 9, 70, 90, 0, 200)]
    long = np.array([0.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    edge = 1.0 - long if long_is_hard else long
    fitted = LengthBaseline.fit(texts, edge, np.ones(6))
    assert fitted.long_to_cloud is long_is_hard
    scores = fitted.score([*texts, "y" * 70])
    assert ((scores >= 0) & (scores <= 1)).all()
    assert scores[2] == scores[-1]
    assert evaluate_scores(scores[:6], edge, np.ones(6)).uplift_cloud_share == 0.5


def test_neighbours_are_those_of_brute_force():
    embeddings, edge, cloud = two_clusters()
    fitted = NeighbourBaseline.fit(embeddings, edge, cloud, k=7)
    fresh = np.random.default_rng(9).normal(size=(600, 3))
    found = fitted.predicted_gap(fresh)
    for row in (0, 1, 599):
        cosine = embeddings @ fresh[row] / np.linalg.norm(embeddings, axis=1)
        nearest = np.argsort(-cosine)[:7]
        assert found[row] == pytest.approx((edge - cloud)[nearest].mean())


def test_neighbour_scores_keep_their_order_whatever_the_unit_of_q():
    embeddings, edge, cloud = two_clusters()
    edge = np.random.default_rng(1).permutation(edge)
    edge[embeddings[:, 0] > embeddings[:, 1]] = 1.0
    fitted = NeighbourBaseline.fit(embeddings, edge * 1e6, cloud * 1e6, k=20)
    scores, gap = fitted.score(embeddings), fitted.predicted_gap(embeddings)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert len(np.unique(scores)) == len(np.unique(gap)) > 3
    assert (np.diff(scores[np.argsort(gap)]) >= 0).all()
    assert evaluate_scores(scores, edge, cloud).apgr > 0.7


def test_a_soft_neighbour_comes_and_goes_without_a_step() -> None:
    """Just before and just after the last neighbour changes: a jump of 1/2 with equal weights."""
    angles = np.array([0.0, 0.4, -0.4])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    edge_q, cloud_q = np.array([0.5, 1.0, 0.0]), np.zeros(3)
    turns = np.array([1e-5, -1e-5])
    asked = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    hard, soft = (
        NeighbourBaseline.fit(rows, edge_q, cloud_q, k=2, soft=soft).predicted_gap(asked)
        for soft in (False, True)
    )
    assert abs(hard[0] - hard[1]) == pytest.approx(0.5)
    assert abs(soft[0] - soft[1]) < 1e-3
    # By hand: near 0.1 rad, the cosines are cos .1, cos .3 and, left out, cos .5.
    weights = np.cos([0.1, 0.3]) - np.cos(0.5)
    held = NeighbourBaseline.fit(rows, edge_q, cloud_q, k=2, soft=True)
    found = held.predicted_gap([[np.cos(0.1), np.sin(0.1)]])
    assert found == pytest.approx(weights @ [0.5, 1.0] / weights.sum(), rel=1e-4)
    every = NeighbourBaseline.fit(np.ones((3, 2)), edge_q, cloud_q, k=2, soft=True)
    assert 0.0 <= every.predicted_gap([[1.0, 1.0]])[0] <= 1.0


def test_neighbours_survive_a_zero_vector_and_level_arms():
    level = NeighbourBaseline.fit(np.eye(3), np.ones(3), np.ones(3), k=3)
    assert level.score(np.zeros((2, 3))).tolist() == [0.5, 0.5]


def test_logistic_is_at_the_bottom_of_its_loss():
    embeddings, edge, _ = two_clusters()
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    fitted = LogisticBaseline.fit(embeddings, edge, l2=0.5)
    scores = fitted.score(embeddings)
    slope = unit.T @ (scores - edge) + 0.5 * fitted.weights
    assert np.abs(slope).max() < 1e-5
    assert (scores - edge).sum() == pytest.approx(0.0, abs=1e-4)
    assert evaluate_scores(scores, edge, np.ones(200)).apgr > 0.7


@pytest.mark.parametrize("labels", [np.ones(200), np.zeros(200), np.full(200, 0.5)])
def test_logistic_survives_labels_that_are_all_one_value(labels):
    embeddings, _, _ = two_clusters()
    scores = LogisticBaseline.fit(embeddings, labels).score(embeddings)
    assert scores == pytest.approx(labels, abs=1e-3)


def test_bad_input_is_refused():
    embeddings, edge, cloud = two_clusters()
    for k in (0, 201):
        with pytest.raises(ConfigError, match=f"k is {k}"):
            NeighbourBaseline.fit(embeddings, edge, cloud, k=k)
    with pytest.raises(DataError, match="199 embeddings for 200"):
        NeighbourBaseline.fit(embeddings[1:], edge, cloud, k=3)
    with pytest.raises(DataError, match="finite"):
        LogisticBaseline.fit(embeddings * np.nan, edge)
    with pytest.raises(ConfigError, match="l2 is 0"):
        LogisticBaseline.fit(embeddings, edge, l2=0)
    with pytest.raises(DataError, match="labels"):
        LogisticBaseline.fit(embeddings, edge + 1)
