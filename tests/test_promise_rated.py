"""Promises from ratings: what is seen of one arm is weighed right, bounded right, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.ratings import Rating
from hybridroute.training.promise.fit import fit_promise
from hybridroute.training.promise.outcomes import Limit
from hybridroute.training.promise.rated import Seen, rated_rows, weighted, worst_case
from hybridroute.training.promise.table import promise_table

PAIR = {"bundle": "b", "edge": "small", "cloud": "large"}
MODELS = {"edge": "small", "cloud": "large"}


def population(n: int, seed: int, share: float, threshold: float = 0.5) -> tuple[Seen, np.ndarray]:
    """Ratings of ``n`` queries, and their true expected loss: the edge is bad at low scores."""
    draw = np.random.default_rng(seed)
    scores = draw.random(n)
    edge, cloud = 0.2 + 0.75 * scores, np.full(n, 0.92)
    below = scores < threshold
    on_cloud = np.where(draw.random(n) < share, draw.random(n) < 0.5, below)
    quality = (draw.random(n) < np.where(on_cloud, cloud, edge)).astype(float)
    chance = np.where(on_cloud == below, 1.0 - share / 2.0, share / 2.0)
    return Seen(scores=scores, quality=quality, chance=chance, on_cloud=on_cloud), cloud - edge


def ratings(seen: Seen, **changes: object) -> list[Rating]:
    held = {"bundle": "b", "reason": "score_below_threshold"}
    found = []
    for at in range(len(seen.scores)):
        arm = "cloud" if seen.on_cloud[at] else "edge"
        chance = float(seen.chance[at])
        said = {
            "id": str(at),
            "at": float(at),
            "arm": arm,
            "model": MODELS[arm],
            "score": float(seen.scores[at]),
            "propensity": chance,
            "quality": float(seen.quality[at]),
            **held,
            **changes,
        }
        if chance < 0.5:
            said["reason"] = "explored"
        found.append(Rating(**said))
    return found


def test_the_weighted_loss_has_the_true_mean_at_every_threshold() -> None:
    seen, loss = population(200_000, 0, share=0.2)
    rows = weighted(seen)
    assert rows.most == pytest.approx(10.0)
    assert rows.loss.max() <= rows.most
    for threshold in (0.0, 0.3, 0.6, 0.9):
        kept = rows.scores >= threshold
        error = np.where(kept, rows.loss, 0.0).std() / len(kept) ** 0.5
        assert abs(np.where(kept, rows.loss - loss, 0.0).mean()) < 4 * error
    assert rows.cloud_q.mean() == pytest.approx(0.92, abs=0.02)


def test_without_exploration_the_loss_is_never_too_small() -> None:
    seen, loss = population(50_000, 1, share=0.0)
    rows = worst_case(seen)
    for threshold in (0.0, 0.5, 0.8):
        kept = rows.scores >= threshold
        assert np.where(kept, rows.loss - loss, 0.0).mean() > 0.0


@pytest.mark.parametrize("kind", ["absolute", "relative"])
def test_a_promise_from_ratings_breaks_no_more_often_than_it_says(kind: str) -> None:
    limit = Limit(max_drop=0.06, confidence=0.8, kind=kind)
    scores = np.linspace(0.0, 1.0, 20_001)
    loss = 0.72 - 0.75 * scores
    broken = kept = 0
    runs = 60
    for seed in range(runs):
        seen, _ = population(3000, 10 + seed, share=0.4)
        found = fit_promise(weighted(seen), limit, quick=True)
        assert found.test == "weighted betting"
        true = np.where(scores >= found.threshold, loss, 0.0).mean()
        broken += true > limit.max_drop * (0.92 if kind == "relative" else 1.0)
        kept += found.feasible
    assert broken / runs < 0.2 + 2 * (0.2 * 0.8 / runs) ** 0.5
    assert kept > runs / 2


def test_what_is_left_out_is_counted() -> None:
    seen, _ = population(2000, 2, share=0.3)
    held = ratings(seen)
    other = [*ratings(seen, bundle="another")[:10], *ratings(seen, model="tiny")[:20]]
    picked = ratings(seen, propensity=None, reason="mode_only_in_cloud")
    by_mode = [one for one in picked if one.reason != "explored"][:30]
    rated = rated_rows([*held, *other, *by_mode], **PAIR)
    assert rated.rows.n == 2000
    assert rated.explored == int((seen.chance < 0.5).sum())
    assert rated.counts["n_of_another_router"] == 10
    assert rated.counts["n_of_other_models"] == 20
    assert rated.counts["n_not_by_score"] == 30


def test_ratings_that_depend_on_the_arm_are_refused() -> None:
    seen, _ = population(4000, 3, share=0.5)
    draw = np.random.default_rng(0)
    angry = [
        one if one.arm == "edge" or draw.random() < 0.5 else _unrated(one) for one in ratings(seen)
    ]
    with pytest.raises(DataError, match="who rates depends on the answer"):
        rated_rows(angry, **PAIR)
    lazy = [one if draw.random() < 0.5 else _unrated(one) for one in ratings(seen)]
    rated = rated_rows(lazy, **PAIR)
    assert rated.unrated + rated.rows.n == 4000


def _unrated(one: Rating) -> Rating:
    return Rating(**{**one.to_dict(), "quality": None})


def test_without_exploration_only_the_worst_case_is_concluded() -> None:
    seen, _ = population(4000, 4, share=0.0)
    rated = rated_rows(ratings(seen), **PAIR)
    assert (rated.rows.test, rated.explored) == ("worst case", 0)
    with pytest.raises(DataError, match="without exploration the cloud's own quality"):
        fit_promise(rated.rows, Limit(max_drop=0.05, kind="relative"))
    with pytest.raises(DataError, match="needs both arms' qualities"):
        fit_promise(rated.rows, Limit(max_drop=0.05, kind="gap"))
    table = promise_table(rated.rows, source="log")
    assert {held.kind for held in table.kept} == {"absolute"}
    assert {held.test for held in table.kept} == {"worst case"}


def test_answers_before_exploration_do_not_count_beside_explored_ones() -> None:
    plain, _ = population(500, 5, share=0.0)
    drawn, _ = population(500, 6, share=0.5)
    rated = rated_rows([*ratings(plain), *ratings(drawn)], **PAIR)
    assert (rated.rows.n, rated.without_exploration) == (500, 500)


def test_too_few_are_refused_with_the_reasons() -> None:
    seen, _ = population(60, 7, share=0.5)
    with pytest.raises(DataError, match=r"0 rated answers can be used, of 60 .*\(60 of another"):
        rated_rows(ratings(seen, bundle="old"), **PAIR)
