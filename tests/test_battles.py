"""training/pool/battles.py and the ranking that stands on it."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.training.pool.battles import strengths, wins
from hybridroute.training.pool.estimator import Queries
from hybridroute.training.pool.similarity_ranking import STEPS, SimilarityRanking


def test_the_larger_quality_wins_and_a_missing_one_does_not_fight() -> None:
    held = wins(np.array([[1.0, 0.0, np.nan], [0.5, 0.5, 0.0]]))
    np.testing.assert_array_equal(held[0], [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_array_equal(held[1], [[0.0, 0.5, 1.0], [0.5, 0.0, 1.0], [0.0, 0.0, 0.0]])


def test_two_arms_are_rated_by_their_odds() -> None:
    won = np.array([[[0.0, 3.0], [1.0, 0.0]]])
    for start in ((1.0, 1.0), (5.0, 0.2)):
        held = strengths(won, np.array(start), steps=STEPS)[0]
        assert held[0] / held[1] == pytest.approx(3.0)


@pytest.mark.parametrize("arms", [3, 7, 16])
def test_the_steps_suffice(arms: int) -> None:
    draw = np.random.default_rng(arms)
    battles = wins((draw.random((400, arms)) < draw.random(arms)).astype(float))
    prior = 0.5 * (1.0 - np.eye(arms))
    start = strengths(battles.sum(axis=0)[None] + prior, np.ones(arms), steps=300)[0]
    weights = np.exp(2.3 * draw.random((20, 400)))
    weights /= weights.sum(axis=1, keepdims=True)
    won = np.tensordot(weights, battles, axes=1) + 2.0 * prior / 400
    few = np.log(strengths(won, start, steps=STEPS))
    many = np.log(strengths(won, start, steps=2000))
    assert np.abs(few - many).max() < 1e-4


@pytest.mark.parametrize("arms", [2, 4])
def test_a_ranking_follows_the_nearest_rows(arms: int) -> None:
    """Each direction has an arm of its own that wins there."""
    draw = np.random.default_rng(0)
    own = draw.integers(0, arms, 400)
    states = np.eye(8, dtype=np.float32)[own] + 0.1 * draw.standard_normal((400, 8))
    states /= np.linalg.norm(states, axis=1, keepdims=True)
    quality = (np.arange(arms) == own[:, None]).astype(float)
    tokens = np.full(400, 8)
    queries = Queries(embeddings=states.astype(np.float32), characters=tokens, tokens=tokens)
    found = SimilarityRanking().fit(queries, quality, seed=0).estimate(queries).mean
    assert (found.argmax(axis=1) == own).mean() > 0.95
