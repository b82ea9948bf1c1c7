"""Products with int8 weights in the file and fp32 arithmetic: where dynamic int8 disturbs too much.

Dynamic int8 rounds a product's input as well as its weight, and the input is what costs accuracy.
Here the weight alone is rounded, with a scale per output channel. Cast and scale are products of
constants, which onnxruntime folds when it loads the graph: the file stays as small as in int8, and
the product is as fast, and takes as much memory, as in fp32.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import helper, numpy_helper

_LEVELS = 127.0


def hold_in_int8(model: bytes, names: Collection[str]) -> bytes:
    """Store the two-dimensional weights of the MatMul nodes called ``names`` in int8.

    They are no initializers afterwards, so that a later dynamic quantisation passes them over.
    """
    held = onnx.load_from_string(model)
    wanted = [node for node in held.graph.node if node.name in names]
    weights = {item.name: item for item in held.graph.initializer}
    spread: list[onnx.NodeProto] = []
    for name in dict.fromkeys(node.input[1] for node in wanted):
        spread += _stored(held.graph, name, numpy_helper.to_array(weights[name]))
    for node in wanted:
        node.input[1] = f"{node.input[1]}.held"
    nodes = [*spread, *held.graph.node]
    used = {name for node in nodes for name in node.input}
    left = [item for item in held.graph.initializer if item.name in used]
    del held.graph.node[:]
    held.graph.node.extend(nodes)
    del held.graph.initializer[:]
    held.graph.initializer.extend(left)
    return bytes(held.SerializeToString())


def _stored(graph: onnx.GraphProto, name: str, weight: np.ndarray) -> list[onnx.NodeProto]:
    """Add int8 weight and scales, and give the nodes that make ``NAME.held`` of them."""
    scale = np.maximum(np.abs(weight).max(axis=0, keepdims=True), 1e-12) / _LEVELS  # (1, out)
    whole = np.clip(np.rint(weight / scale), -_LEVELS, _LEVELS).astype(np.int8)
    graph.initializer.append(numpy_helper.from_array(whole, f"{name}.whole"))
    graph.initializer.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}.scales"))
    return [
        helper.make_node("Cast", [f"{name}.whole"], [f"{name}.cast"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.cast", f"{name}.scales"], [f"{name}.held"]),
    ]
