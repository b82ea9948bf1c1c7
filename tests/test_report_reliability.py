"""The reliability diagram's bins and figures."""

from __future__ import annotations

import numpy as np
import pytest
from report_cases import rows_of, table_of

from hybridroute.training.metrics import ece
from hybridroute.training.report_page.reliability import BINS, bins_of, reliabilities
from hybridroute.training.report_page.routers import Router, random_router


def test_the_bins_are_those_of_ece() -> None:
    draw = np.random.default_rng(0)
    scores, labels = draw.random(200), draw.random(200)
    bins = bins_of(scores, labels, BINS)
    assert sum(item.n for item in bins) == 200
    assert all(item.low <= item.mean_score < item.high for item in bins)
    off = sum(item.n * abs(item.mean_score - item.mean_label) for item in bins) / 200
    assert off == pytest.approx(ece(scores, labels, BINS))


def test_a_score_of_one_is_in_the_last_bin() -> None:
    (only,) = bins_of([1.0, 1.0], [1.0, 0.0], 10)
    assert (only.low, only.high, only.n, only.mean_label) == (0.9, 1.0, 2, 0.5)


def test_what_the_router_cannot_read_is_left_out() -> None:
    rows = rows_of(table_of([[1.0], [0.0], [0.4], [1.0]], [[1.0], [1.0], [0.5], [0.0]]))
    outside = np.array([False, False, True, False])
    scores = np.array([1.0, 0.0, -1.0, 1.0])
    some = Router(name="some", kind="this", scores=scores, outside=outside, probability_at=0.2)
    none = Router(
        name="none",
        kind="bundle",
        scores=np.full(4, -1.0),
        outside=np.ones(4, dtype=np.bool_),
        probability_at=0.2,
    )
    (found,) = reliabilities((some, none), rows)
    assert (found.name, found.ece, sum(item.n for item in found.bins)) == ("some", 0.0, 3)


def test_only_scores_that_are_probabilities_are_held_to_it() -> None:
    rows = rows_of(table_of([[1.0], [0.0], [0.4], [1.0]], [[1.0], [1.0], [0.5], [0.0]]))
    exact = Router(
        name="exact", kind="this", scores=np.array([1.0, 0.0, 0.0, 1.0]), probability_at=0.0
    )
    relaxed = Router(
        name="relaxed", kind="bundle", scores=np.array([1.0, 0.0, 1.0, 1.0]), probability_at=0.2
    )
    found = reliabilities((exact, relaxed, random_router(4)), rows)
    assert [(item.name, item.t, item.ece, item.brier) for item in found] == [
        ("exact", 0.0, 0.0, 0.0),
        ("relaxed", 0.2, 0.0, 0.0),
    ]
    assert [item.brier_of_mean for item in found] == pytest.approx([0.25, 0.1875])
