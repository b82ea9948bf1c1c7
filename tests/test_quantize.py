"""Whole-number weights that give the same product on every processor."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hybridroute.training.quantize import int8_weight, to_int8, weight_products


def heavy_weights(rows: int) -> np.ndarray:
    """Columns of every kind: alike, opposite in sign, with one outlier, all zero."""
    random = np.random.default_rng(3)
    held = random.normal(size=(rows, 6)).astype(np.float32)
    held[:, 1] = 1.0
    held[::2, 2] = -5.0
    held[1::2, 2] = -4.9
    held[0, 3] = 1e4
    held[:, 4] = 0.0
    held[::2, 5], held[1::2, 5] = 3.0, -3.0
    return held


@pytest.mark.parametrize("rows", [8, 7, 1])
def test_no_pair_of_products_leaves_16_bits(rows: int) -> None:
    whole, _ = int8_weight(heavy_weights(rows))
    padded = np.zeros((rows + rows % 2, whole.shape[1]), dtype=np.int64)
    padded[:rows] = whole
    pairs = padded.reshape(-1, 2, whole.shape[1])
    for sign in (1, -1):  # the inputs that make a sum largest: 255 where it grows, else 0
        largest = 255 * (sign * pairs).clip(min=0).sum(axis=1)
        assert largest.max() <= 2**15 - 1


def test_it_stays_close_to_the_weight() -> None:
    weight = heavy_weights(64)
    whole, scale = int8_weight(weight)
    assert (whole.dtype, scale.dtype, scale.shape) == (np.int8, np.float32, (6,))
    assert (np.abs(whole * scale - weight).max(axis=0) <= 0.5001 * scale).all()
    assert (np.abs(whole).max(axis=0) >= [64, 63, 63, 127, 0, 127]).all()


def graph() -> bytes:
    """Two products of one input, whose names could be taken for each other's parts."""
    random = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(random.normal(size=(16, 16)).astype(np.float32), name)
        for name in ("w", "v")
    ]
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["y"], name="one"),
        helper.make_node("MatMul", ["x", "v"], ["z"], name="two"),
        helper.make_node("MatMul", ["y", "v"], ["u"], name="three"),
        helper.make_node("Add", ["u", "z"], ["out"]),
    ]
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 16])] for name in ("x", "out")
    ]
    held = helper.make_graph(nodes, "two", *ends, initializer=weights)
    model = helper.make_model(held, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def outputs(model: bytes) -> np.ndarray:
    from hybridroute.edge_runtime.onnx_runtime import ort

    session = ort.InferenceSession(model, providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=(5, 16)).astype(np.float32)
    return np.asarray(session.run(["out"], {"x": x})[0])


def test_inputs_and_weights_are_quantised_once() -> None:
    assert weight_products(graph()) == ["one", "two", "three"]
    small = to_int8(graph())
    onnx.checker.check_model(onnx.load_from_string(small))
    held = onnx.load_from_string(small).graph
    ops = [node.op_type for node in held.node]
    assert (ops.count("DynamicQuantizeLinear"), ops.count("MatMulInteger")) == (2, 3)
    assert {tuple(item.dims) for item in held.initializer} == {(16, 16), (16,)}
    assert {item.data_type for item in held.initializer if len(item.dims) == 2} == {
        TensorProto.INT8
    }
    np.testing.assert_allclose(outputs(small), outputs(graph()), atol=1.0)
    assert not np.array_equal(outputs(small), outputs(graph()))


def test_what_is_kept_is_not_touched() -> None:
    held = onnx.load_from_string(to_int8(graph(), keep=["three", "one"]))
    assert [node.op_type for node in held.graph.node].count("MatMul") == 2
    assert to_int8(graph(), keep=["one", "two", "three"]) == graph()
