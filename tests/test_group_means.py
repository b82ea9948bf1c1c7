"""Means within groups, drawn to the arm's own: by hand, and as the device's graph has them."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.onnx_runtime import ort
from hybridroute.training.pool.group_means import PRIOR, GroupMeans
from hybridroute.training.pool.head_graph import HeadGraph
from hybridroute.training.pool.masked import arm_means, arm_spreads
from hybridroute.training.pool.router_graph import head_model

QUALITY = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.5], [0.0, 1.0]])
PRESENT = np.array([[True, False], [True, True], [True, True], [True, True]])
GROUPS = np.array([0, 0, 1, 0])
HELD = GroupMeans.of(GROUPS, 3, QUALITY, PRESENT)


def test_a_mean_is_drawn_to_the_arms_own_by_ten_rows_of_it() -> None:
    """The first arm's own mean is 1/2, the second's, of three cells, too."""
    assert PRIOR == 10.0
    assert HELD.mean[0] == pytest.approx([(1.0 + 5.0) / 13.0, (1.0 + 5.0) / 12.0])
    assert HELD.mean[1] == pytest.approx([(1.0 + 5.0) / 11.0, (0.5 + 5.0) / 11.0])


def test_a_group_without_rows_is_the_arms_own() -> None:
    assert HELD.mean[2] == pytest.approx(arm_means(QUALITY, PRESENT))
    assert HELD.error[2] == pytest.approx(np.sqrt(arm_spreads(QUALITY, PRESENT) / PRIOR))


def test_an_error_shrinks_with_the_cells_of_the_group_alone() -> None:
    cells = np.array([[3, 2], [1, 1], [0, 0]])
    wanted = np.sqrt(arm_spreads(QUALITY, PRESENT) / (cells + PRIOR))
    assert HELD.error == pytest.approx(wanted)
    assert (np.diff(HELD.error[[0, 1, 2]], axis=0) > 0).all()


def test_a_missing_cell_counts_for_nothing() -> None:
    without = GroupMeans.of(GROUPS[1:], 3, QUALITY[1:], PRESENT[1:])
    assert HELD.mean[:, 1] == pytest.approx(without.mean[:, 1])
    assert HELD.error[:, 1] == pytest.approx(without.error[:, 1])
    assert not np.allclose(HELD.mean[:, 0], without.mean[:, 0])


def test_many_rows_leave_the_groups_own_mean() -> None:
    draw = np.random.default_rng(0)
    groups = draw.integers(0, 2, 40_000)
    quality = (draw.random((40_000, 1)) < np.where(groups == 1, 0.9, 0.2)[:, None]).astype(float)
    found = GroupMeans.of(groups, 2, quality, np.ones_like(quality, dtype=bool))
    assert found.mean[:, 0] == pytest.approx([0.2, 0.9], abs=0.02)


def test_what_is_looked_up_is_the_row_of_each_querys_group() -> None:
    found = HELD.looked_up(np.array([2, 0, 0]))
    assert found.mean.tolist() == HELD.mean[[2, 0, 0]].tolist()
    assert found.uncertainty is not None
    assert found.uncertainty.tolist() == HELD.error[[2, 0, 0]].tolist()


def test_the_graph_looks_up_the_same() -> None:
    """The group of a query is here its length in tokens."""
    graph = HeadGraph()
    group = graph.op("Cast", graph.tokens(), attributes={"to": 7})
    mean, error = HELD.nodes(graph, graph.op("Squeeze", group, graph.integers([1])))
    session = ort.InferenceSession(
        head_model(graph.finished(mean, error)), providers=["CPUExecutionProvider"]
    )
    asked = np.array([1, 2, 0, 1])
    found = session.run(None, {"tokens": asked[:, None].astype(np.float32)})
    wanted = HELD.looked_up(asked)
    assert found[0] == pytest.approx(wanted.mean, abs=1e-6)
    assert found[1] == pytest.approx(wanted.uncertainty, abs=1e-6)
