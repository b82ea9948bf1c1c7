"""A head, node by node: its names, its constants, and what onnxruntime makes of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import pytest

from hybridroute.edge_runtime.onnx_runtime import ort
from hybridroute.training.pool.head_graph import HeadGraph, rounded_rows
from hybridroute.training.pool.router_graph import head_model

STATES = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def run(
    head: onnx.GraphProto, feeds: Mapping[str, np.ndarray] = {"embedding": STATES}
) -> dict[str, np.ndarray]:
    """Checked as ONNX has it, and run."""
    model = head_model(head)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    names = [item.name for item in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def test_the_outputs_are_called_as_the_devices_router_calls_them() -> None:
    graph = HeadGraph()
    state = graph.embedding(3)
    found = run(graph.finished(state, graph.op("Abs", state)))
    assert list(found) == ["estimates", "uncertainties"]
    assert (found["estimates"] == STATES).all()
    assert (found["uncertainties"] == np.abs(STATES)).all()


def test_without_uncertainties_there_is_no_such_output() -> None:
    graph = HeadGraph()
    assert list(run(graph.finished(graph.embedding(3)))) == ["estimates"]


def test_the_inputs_are_those_that_were_asked_for_once_each() -> None:
    graph = HeadGraph()
    both = graph.op("Mul", graph.embedding(3), graph.tokens())
    again = graph.op("Add", both, graph.embedding(3))
    head = graph.finished(graph.op("Add", again, graph.given("other", 1)))
    sizes = {item.name: item.type.tensor_type.shape.dim[1].dim_value for item in head.input}
    assert sizes == {"embedding": 3, "tokens": 1, "other": 1}
    tokens, other = np.full((5, 1), 2, np.float32), np.full((5, 1), 7, np.float32)
    found = run(head, {"embedding": STATES, "tokens": tokens, "other": other})
    assert found["estimates"] == pytest.approx(3 * STATES + 7, abs=1e-5)


def test_any_number_of_texts_may_be_asked_about_at_once() -> None:
    graph = HeadGraph()
    head = graph.finished(graph.op("Neg", graph.embedding(3)))
    for count in (1, 4):
        assert run(head, {"embedding": STATES[:count]})["estimates"].shape == (count, 3)


def test_every_value_has_a_name_of_its_own() -> None:
    """Two equal nodes and two equal constants too."""
    graph = HeadGraph()
    one, other = graph.floats([1.0]), graph.floats([1.0])
    first, second = (graph.op("Add", graph.embedding(3), held) for held in (one, other))
    head = graph.finished(graph.op("Sub", first, second))
    names = [name for node in head.node for name in node.output]
    names += [held.name for held in head.initializer] + [item.name for item in head.input]
    assert len(names) == len(set(names))
    assert len({node.name for node in head.node}) == len(head.node)
    assert (run(head)["estimates"] == 0.0).all()


def test_constants_are_of_the_types_that_the_nodes_take() -> None:
    graph = HeadGraph()
    graph.floats(np.array([[1.5]]))
    graph.integers([1])
    graph.whole([-127, 127])
    held = graph.finished(graph.embedding(1)).initializer
    types = [onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.INT8]
    assert [item.data_type for item in held] == types


def test_a_total_is_the_sum_over_its_axis() -> None:
    graph = HeadGraph()
    state = graph.embedding(3)
    bare = graph.total(state, axis=1)
    again = graph.op("Unsqueeze", bare, graph.integers([1]))
    found = run(graph.finished(graph.total(state, axis=1, keep=True), again))
    assert found["estimates"] == pytest.approx(STATES.sum(axis=1, keepdims=True), abs=1e-5)
    assert (found["uncertainties"] == found["estimates"]).all()
    graph = HeadGraph()
    found = run(graph.finished(graph.total(graph.embedding(3), axis=0, keep=True)))
    assert found["estimates"] == pytest.approx(STATES.sum(axis=0, keepdims=True), abs=1e-5)


def test_a_node_may_have_several_outputs() -> None:
    graph = HeadGraph()
    low, high = graph.ops(
        "TopK", graph.embedding(3), graph.integers([1]), outputs=2, attributes={"axis": 1}
    )
    head = graph.finished(low, graph.op("Cast", high, attributes={"to": onnx.TensorProto.FLOAT}))
    found = run(head)
    assert (found["estimates"][:, 0] == STATES.max(axis=1)).all()
    assert (found["uncertainties"][:, 0] == STATES.argmax(axis=1)).all()


def test_stored_rows_are_the_rounded_ones_a_byte_a_number() -> None:
    rows = np.random.default_rng(1).normal(size=(400, 3)) * np.logspace(-3, 3, 400)[:, None]
    graph = HeadGraph()
    head = graph.finished(graph.op("MatMul", graph.embedding(3), graph.stored_rows(rows)))
    assert run(head)["estimates"] == pytest.approx(
        STATES @ rounded_rows(rows).T, rel=1e-4, abs=1e-3
    )
    stored = sum(len(held.raw_data) for held in head.initializer)
    assert stored == rows.size + 4 * len(rows)


def test_rounding_moves_a_number_by_half_a_level_at_most_and_not_twice() -> None:
    rows = np.random.default_rng(2).normal(size=(50, 16))
    rounded = rounded_rows(rows)
    most = np.abs(rows).max(axis=1, keepdims=True)
    assert (np.abs(rounded - rows) <= 0.501 * most / 127).all()
    assert np.abs(rounded).max(axis=1) == pytest.approx(most[:, 0], rel=1e-6)
    assert rounded_rows(rounded) == pytest.approx(rounded, rel=1e-6)
    assert rounded_rows(-rows) == pytest.approx(-rounded)


def test_a_row_of_zeros_stays_one() -> None:
    assert rounded_rows(np.zeros((2, 4))).tolist() == [[0.0] * 4] * 2
