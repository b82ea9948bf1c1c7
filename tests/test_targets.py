"""Targets: qualities of any unit and sign laid on [0, 1], and the label."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_encoder import CLOUD, EDGE, mapped, outcomes

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training.targets import QualityScale, targets_of


def test_correctness_stays_as_it_is() -> None:
    table = outcomes(40)
    assert QualityScale.of(table, EDGE, CLOUD) == QualityScale(low=0.0, high=1.0)
    narrow = mapped(table, lambda edge, cloud: (0.4 + edge / 10, 0.5))
    assert QualityScale.of(narrow, EDGE, CLOUD) == QualityScale(low=0.0, high=1.0)


def test_negative_qualities_keep_the_sign_and_size_of_their_differences() -> None:
    table = outcomes(40, quality=lambda right: -2.5 + 1.5 * right)
    scale = QualityScale.of(table, EDGE, CLOUD)
    assert scale == QualityScale(low=-2.5, high=-1.0)
    held = targets_of(table, EDGE, CLOUD, kind="prob", scale=scale, seed=0)
    gap = table.mean_quality(EDGE) - table.mean_quality(CLOUD)
    np.testing.assert_allclose(held.values[:, 0] - held.values[:, 1], gap / 1.5, atol=1e-6)
    np.testing.assert_array_equal(held.values[:, 2], (gap >= 0).astype(np.float32))
    assert held.values.min() == 0.0
    assert held.values.max() == 1.0


def test_rows_outside_the_fitted_range_are_clipped() -> None:
    scale = QualityScale(low=-2.0, high=0.0)
    np.testing.assert_array_equal(
        scale.scaled(np.array([-9.0, -1.0, 3.0])), np.array([0.0, 0.5, 1.0])
    )


@pytest.mark.parametrize("level", [0.0, 1.0, -3.5])
def test_qualities_that_are_all_equal(level: float) -> None:
    table = mapped(outcomes(20), lambda edge, cloud: (level, level))
    with pytest.raises(TrainingError, match=f"every quality is {level}: there is nothing"):
        QualityScale.of(table, EDGE, CLOUD)


def test_labels_are_of_the_kind_asked_for() -> None:
    table = outcomes(60, responses=4)
    scale = QualityScale.of(table, EDGE, CLOUD)
    kinds = {
        kind: targets_of(table, EDGE, CLOUD, kind=kind, scale=scale, seed=0)
        for kind in ("det", "prob", "trans")
    }
    assert set(np.unique(kinds["det"].values[:, 2])) == {0.0, 1.0}
    assert len(np.unique(kinds["prob"].values[:, 2])) > 2
    assert kinds["trans"].labels.requested == "trans"
    assert kinds["trans"].labels.kind == "prob"  # q takes two values: t* = 0
