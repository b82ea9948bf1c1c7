"""int8 weights with fp32 products, on a graph of two products that share a weight and one apart."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hybridroute.edge_runtime.onnx_runtime import ort
from hybridroute.training.held_weights import hold_in_int8
from hybridroute.training.quantize import to_int8, weight_products

RANDOM = np.random.default_rng(0)
INPUT = RANDOM.standard_normal((4, 64)).astype(np.float32)
INPUT[:, 0] = 40.0  # an outlier: dynamic int8 takes one scale over the whole input
SHARED, LAST = (RANDOM.standard_normal((64, 64)).astype(np.float32) for _ in range(2))
SHARED[0] = 0.0  # so that the outlier takes levels from the rest and adds no error of its own


def graph() -> bytes:
    nodes = [
        helper.make_node("MatMul", ["x", "shared"], ["a"], name="first"),
        helper.make_node("MatMul", ["a", "shared"], ["b"], name="second"),
        helper.make_node("MatMul", ["b", "last"], ["y"], name="third"),
    ]
    shape = ["rows", 64]
    made = helper.make_graph(
        nodes,
        "three",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(SHARED, "shared"), numpy_helper.from_array(LAST, "last")],
    )
    opset = [helper.make_opsetid("", 18)]
    return bytes(helper.make_model(made, opset_imports=opset, ir_version=9).SerializeToString())


def run(model: bytes) -> np.ndarray:
    return ort.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": INPUT})[
        0
    ]


def off(model: bytes) -> float:
    wanted = INPUT @ SHARED @ SHARED @ LAST
    return float(np.abs(run(model) - wanted).max() / np.abs(wanted).max())


def test_only_the_weights_are_rounded_and_the_file_is_as_small() -> None:
    names = weight_products(graph())
    held = hold_in_int8(graph(), names)
    onnx.checker.check_model(onnx.load_from_string(held))
    assert weight_products(held) == []
    assert 1e-6 < off(held) < 0.5 * off(to_int8(graph()))
    assert len(held) < 0.5 * len(graph())


def test_the_products_that_are_left_become_int8() -> None:
    held = to_int8(hold_in_int8(graph(), ["first"]))
    ops = [node.op_type for node in onnx.load_from_string(held).graph.node]
    assert ops.count("MatMulInteger") == 2
    assert ops.count("MatMul") == 1
    assert off(held) < 0.3


def test_without_names_the_graph_is_the_same() -> None:
    assert hold_in_int8(graph(), []) == graph()
