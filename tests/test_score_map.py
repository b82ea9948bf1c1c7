"""From evidence to score: a logistic that keeps the order."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from hybridroute.training.score_map import ScoreMap, fit_score_map

EVIDENCE = np.linspace(-1, 1, 401)


def chance(x: np.ndarray, slope: float, offset: float) -> np.ndarray:
    return 1 / (1 + np.exp(-(slope * x + offset)))


def test_a_label_heads_logit_is_left_alone() -> None:
    assert fit_score_map("label", [0.0, 9.0], [1.0, 0.0]) == ScoreMap(slope=1.0, offset=0.0)


@pytest.mark.parametrize(("slope", "offset"), [(3.0, 0.5), (8.0, -4.0), (0.5, 2.0)])
def test_the_logistic_behind_the_labels_is_found(slope: float, offset: float) -> None:
    found = fit_score_map("gap", EVIDENCE, chance(EVIDENCE, slope, offset))
    assert found.slope == pytest.approx(slope, rel=0.01)
    assert found.offset == pytest.approx(offset, rel=0.01, abs=0.01)


def test_separable_rows_keep_their_scores_apart() -> None:
    found = fit_score_map("gap", EVIDENCE, EVIDENCE > 0)
    score = chance(EVIDENCE, found.slope, found.offset).astype(np.float32)
    middle = np.abs(EVIDENCE) < 0.05
    assert np.isfinite(found.slope)
    assert (np.diff(score[middle]) > 0).all()


@pytest.mark.parametrize(
    "labels", [np.ones(401), np.zeros(401), EVIDENCE < 0], ids=["one", "zero", "against"]
)
def test_labels_that_the_evidence_cannot_order(
    labels: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found = fit_score_map("gap", EVIDENCE, labels)
    assert found == ScoreMap(slope=4.0, offset=0.0)
    assert "does not order the labels" in caplog.text
