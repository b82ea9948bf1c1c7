"""Every estimator: its head is what it is, missing cells stay missing, and odd data is survived."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from pool_cases import chances_of, outcomes_of, queries_of, run_head

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.edge_runtime.protocols import EstimateKind
from hybridroute.training.pool.estimator import Queries
from hybridroute.training.pool.registry import ESTIMATORS, make

every = pytest.mark.parametrize("name", sorted(ESTIMATORS))
learns = pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - {"random", "length"}))


def test_names_are_known_and_others_refused() -> None:
    assert make("knn") is ESTIMATORS["knn-200"]
    assert all(make(name).name == name for name in ESTIMATORS)
    with pytest.raises(ConfigError, match="'tree'.*ridge"):
        make("tree")


@every
@pytest.mark.parametrize("missing", [0.0, 0.4])
def test_the_head_computes_the_same(name: str, missing: float) -> None:
    queries = queries_of(300)
    fitted = make(name).fit(queries, outcomes_of(queries, 5, missing=missing), seed=3)
    fresh = queries_of(64, seed=9)
    numpy, device = fitted.estimate(fresh), run_head(fitted, fresh)
    assert numpy.mean.shape == (64, 5)
    assert device.mean == pytest.approx(numpy.mean, abs=1e-4)
    assert (device.uncertainty is None) == (numpy.uncertainty is None)
    if numpy.uncertainty is not None:
        assert device.uncertainty == pytest.approx(numpy.uncertainty, abs=1e-4)
        assert (numpy.uncertainty > 0.0).all()
    assert fitted.kind in get_args(EstimateKind)


@learns
def test_it_chooses_better_than_any_one_arm(name: str) -> None:
    queries, fresh = queries_of(1500), queries_of(500, seed=9)
    fitted = make(name).fit(queries, outcomes_of(queries, 4), seed=0)
    chances = chances_of(fresh, 4)
    routed = chances[np.arange(500), fitted.estimate(fresh).mean.argmax(axis=1)].mean()
    assert routed > chances.mean(axis=0).max() + 0.05


@learns
def test_missing_cells_hardly_hurt(name: str) -> None:
    queries, fresh = queries_of(1500), queries_of(500, seed=9)
    fitted = make(name).fit(queries, outcomes_of(queries, 4, missing=0.3), seed=0)
    chances = chances_of(fresh, 4)
    routed = chances[np.arange(500), fitted.estimate(fresh).mean.argmax(axis=1)].mean()
    assert routed > chances.mean(axis=0).max() + 0.04


@every
def test_the_same_seed_fits_the_same(name: str) -> None:
    queries = queries_of(200)
    quality = outcomes_of(queries, 3, missing=0.1)
    one, other = (make(name).fit(queries, quality, seed=5).estimate(queries) for _ in range(2))
    assert (one.mean == other.mean).all()


@every
@pytest.mark.parametrize("value", [0.0, 1.0, 0.5])
def test_outcomes_that_are_all_equal_leave_no_arm_ahead(name: str, value: float) -> None:
    queries = queries_of(80)
    found = make(name).fit(queries, np.full((80, 3), value), seed=0).estimate(queries)
    assert np.isfinite(found.mean).all()
    if name != "random":
        assert np.ptp(found.mean, axis=1).max() < 0.1


@every
def test_an_arm_that_is_always_best_is_always_chosen(name: str) -> None:
    if name == "random":
        pytest.skip("random chooses at random")
    queries = queries_of(300)
    quality = np.minimum(outcomes_of(queries, 3), 0.4)
    quality[:, 1] = 1.0
    fitted = make(name).fit(queries, quality, seed=0)
    assert (fitted.estimate(queries_of(100, seed=4)).mean.argmax(axis=1) == 1).all()
    assert (run_head(fitted, queries_of(100, seed=4)).mean.argmax(axis=1) == 1).all()


@every
def test_an_arm_with_one_outcome_has_estimates(name: str) -> None:
    queries = queries_of(100)
    quality = outcomes_of(queries, 3)
    quality[1:, 2] = np.nan
    fitted = make(name).fit(queries, quality, seed=0)
    assert np.isfinite(fitted.estimate(queries).mean).all()
    assert np.isfinite(run_head(fitted, queries).mean).all()


@every
def test_a_thousand_arms(name: str) -> None:
    queries = queries_of(120)
    fitted = make(name).fit(queries, outcomes_of(queries, 1000), seed=0)
    fresh = queries_of(5, seed=2)
    assert run_head(fitted, fresh).mean == pytest.approx(fitted.estimate(fresh).mean, abs=1e-4)


@every
def test_bad_data_is_refused(name: str) -> None:
    queries = queries_of(20)
    quality = outcomes_of(queries, 2)
    estimator = make(name)
    with pytest.raises(DataError, match="give"):
        estimator.fit(queries, quality[1:], seed=0)
    with pytest.raises(DataError, match="infinite"):
        estimator.fit(queries, np.where(quality == 1.0, np.inf, quality), seed=0)
    absent = quality.copy()
    absent[:, 1] = np.nan
    with pytest.raises(DataError, match="arm 1 has no outcome"):
        estimator.fit(queries, absent, seed=0)


def test_only_logistic_refuses_scores_outside_0_to_1() -> None:
    queries = queries_of(60)
    quality = 8.0 * outcomes_of(queries, 2) - 5.0
    for name in sorted(ESTIMATORS):
        if name == "logistic":
            with pytest.raises(DataError, match=r"quality is .*take ridge"):
                make(name).fit(queries, quality, seed=0)
        else:
            found = make(name).fit(queries, quality, seed=0).estimate(queries)
            assert np.isfinite(found.mean).all()


def test_queries_of_different_lengths_are_refused() -> None:
    held = queries_of(4)
    with pytest.raises(DataError, match="one of each"):
        Queries(embeddings=held.embeddings, characters=held.characters[1:], tokens=held.tokens)
    assert len(held.select(np.array([True, False, True, False]))) == 2
    assert held.select(np.array([3])).tokens.tolist() == held.tokens[3:].tolist()
