"""Means of queries of like length: the groups, and the same in the device's graph."""

from __future__ import annotations

import numpy as np
import pytest
from pool_cases import outcomes_of, queries_of, run_head

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.pool.estimator import Queries
from hybridroute.training.pool.length import Length


def of_tokens(tokens: list[int]) -> Queries:
    held = np.array(tokens, dtype=np.int64)
    return Queries(embeddings=np.zeros((len(held), 2), np.float32), characters=held, tokens=held)


def test_short_and_long_queries_are_told_apart() -> None:
    tokens = [5] * 200 + [50] * 200
    quality = np.array([[1.0, 0.0]] * 200 + [[0.0, 1.0]] * 200)
    fitted = Length(groups=2).fit(of_tokens(tokens), quality, seed=0)
    found = fitted.estimate(of_tokens([1, 5, 27, 28, 50, 900])).mean
    assert (found[:3, 0] > 0.95).all()
    assert (found[3:, 1] > 0.95).all()
    assert fitted.kind == "quality"


def test_groups_hold_about_as_many_rows() -> None:
    queries = queries_of(1000)
    fitted = Length(groups=5).fit(queries, outcomes_of(queries, 2), seed=0)
    group = np.searchsorted(fitted.edges, queries.tokens, side="left")
    assert len(fitted.edges) == 4
    assert np.bincount(group).min() > 150


def test_where_all_are_of_one_length_all_are_estimated_alike() -> None:
    fitted = Length().fit(of_tokens([7] * 30), np.eye(2)[np.arange(30) % 2], seed=0)
    assert len(fitted.edges) == 1
    found = fitted.estimate(of_tokens([7, 3])).mean
    assert found == pytest.approx(np.full((2, 2), 0.5))


def test_the_graph_says_the_same_also_at_the_edges() -> None:
    queries = queries_of(300)
    fitted = Length().fit(queries, outcomes_of(queries, 3, missing=0.3), seed=0)
    asked = of_tokens(
        [0, *(int(edge) + off for edge in fitted.edges for off in (-1, 0, 1)), 10_000]
    )
    found, wanted = run_head(fitted, asked), fitted.estimate(asked)
    assert found.mean == pytest.approx(wanted.mean, abs=1e-6)
    assert found.uncertainty == pytest.approx(wanted.uncertainty, abs=1e-6)


def test_what_cannot_be_fitted_on_is_refused() -> None:
    with pytest.raises(DataError):
        Length().fit(of_tokens([1, 2]), np.full((2, 1), np.nan), seed=0)
