"""Means over the cells that are there, and what cannot be fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from pool_cases import outcomes_of, queries_of

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.pool.masked import arm_means, arm_spreads, checked


def test_a_missing_cell_is_no_outcome_and_no_zero() -> None:
    given = np.array([[0.0, np.nan], [1.0, 0.5], [np.nan, 1.0]])
    quality, present = checked(queries_of(3), given)
    assert present.tolist() == [[True, False], [True, True], [False, True]]
    assert quality.tolist() == [[0.0, 0.0], [1.0, 0.5], [0.0, 1.0]]
    assert arm_means(quality, present).tolist() == [0.5, 0.75]
    assert arm_spreads(quality, present).tolist() == [0.25, 0.0625]
    assert np.isnan(given[0, 1]), "what was given stays as it is"


def test_means_and_spreads_are_those_of_the_cells_alone() -> None:
    given = outcomes_of(queries_of(80), 4, missing=0.4) * 3.0 - 1.0
    quality, present = checked(queries_of(80), given)
    for arm in range(4):
        cells = given[~np.isnan(given[:, arm]), arm]
        assert arm_means(quality, present)[arm] == pytest.approx(cells.mean())
        assert arm_spreads(quality, present)[arm] == pytest.approx(cells.var())


def test_whole_numbers_and_lists_are_taken_as_qualities() -> None:
    quality, present = checked(queries_of(2), [[1, 0], [0, 1]])
    assert (quality.dtype, present.all()) == (np.float64, True)


@pytest.mark.parametrize(
    "quality",
    [np.zeros(3), np.zeros((2, 1)), np.zeros((4, 1)), np.zeros((3, 0)), np.zeros((3, 1, 1))],
)
def test_qualities_of_another_shape_are_refused(quality: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"for 3 queries; give \(n, m\)"):
        checked(queries_of(3), quality)


def test_no_rows_are_refused() -> None:
    with pytest.raises(DataError, match="for 0 queries"):
        checked(queries_of(3).select(np.zeros(3, dtype=bool)), np.zeros((0, 2)))


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_an_infinite_quality_is_refused(bad: float) -> None:
    with pytest.raises(DataError, match="a quality is infinite"):
        checked(queries_of(2), [[0.0, bad], [0.0, 1.0]])


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_an_embedding_that_is_not_finite_is_refused(bad: float) -> None:
    queries = queries_of(2)
    queries.embeddings[1, 3] = bad
    with pytest.raises(DataError, match="an embedding is not finite"):
        checked(queries, np.ones((2, 2)))


def test_the_first_arm_without_any_outcome_is_named() -> None:
    given = np.full((3, 4), np.nan)
    given[:, 0] = 1.0
    given[1, 2] = 0.5
    with pytest.raises(DataError, match="arm 1 has no outcome"):
        checked(queries_of(3), given)
