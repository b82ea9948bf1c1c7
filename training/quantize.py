"""fp32 ONNX -> int8: weights per output channel, word embeddings per row, activations dynamic."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

_EMBEDDING_ROWS = 4096
_LEVELS = 127.0


def weight_products(model: bytes) -> list[str]:
    """Names of the MatMul nodes that multiply by a two-dimensional weight, in graph order."""
    graph = onnx.load_from_string(model).graph
    weights = {item.name for item in graph.initializer if len(item.dims) == 2}
    return [
        node.name for node in graph.node if node.op_type == "MatMul" and node.input[1] in weights
    ]


def to_int8(model: bytes, *, keep: Collection[str] = ()) -> bytes:
    """Quantise the weight products, except those named in ``keep``, and the word embeddings.

    Dynamic int8 takes one activation scale over the whole input of a product, so that a score
    moves a little with its batch-mates: what is served and evaluated is one text at a time.
    """
    wanted = [name for name in weight_products(model) if name not in keep]
    return _products_to_int8(_embeddings_to_int8(model), wanted)


def int8_weight(weight: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Whole numbers and a scale per output channel whose products no processor clips.

    Without VNNI, x86 adds the products of two neighbouring inputs (u8, at most 255) and weights in
    16 bits, and clips what does not fit (`vpmaddubsw`). A score would then depend on the processor.
    So the positive weights of a pair sum to at most 128, the negative ones to at least -128.

    Parameters
    ----------
    weight : ndarray of shape (in, out)

    Returns
    -------
    whole : ndarray of int8, shape (in, out)
    scale : ndarray of float32, shape (out,)
        ``whole * scale`` is close to ``weight``.
    """
    odd = np.zeros((len(weight) % 2, weight.shape[1]), weight.dtype)
    pairs = np.concatenate([weight, odd]).reshape(-1, 2, weight.shape[1])  # (in / 2, 2, out)
    one_sign = np.maximum(pairs.clip(min=0).sum(axis=1), -pairs.clip(max=0).sum(axis=1))
    # Each of the two may be rounded up by a half: 127 and two halves make 128.
    scale = np.maximum(one_sign.max(axis=0), 1e-12) / _LEVELS  # a single weight counts as a pair
    return np.rint(weight / scale).astype(np.int8), scale.astype(np.float32)


def _products_to_int8(model: bytes, names: Collection[str]) -> bytes:
    """MatMul becomes DynamicQuantizeLinear, MatMulInteger, Cast and Mul, which onnxruntime fuses.

    Products of the same input share its quantisation.
    """
    held = onnx.load_from_string(model)
    weights = {item.name: item for item in held.graph.initializer}
    nodes: list[onnx.NodeProto] = []
    inputs: set[str] = set()
    whole: set[str] = set()
    for node in held.graph.node:
        if node.name not in names:
            nodes.append(node)
            continue
        source, weight, out = node.input[0], node.input[1], node.output[0]
        if source not in inputs:
            parts = [f"{source}.u8", f"{source}.u8_scale", f"{source}.u8_zero"]
            nodes.append(helper.make_node("DynamicQuantizeLinear", [source], parts))
            inputs.add(source)
        if weight not in whole:
            numbers, scale = int8_weight(numpy_helper.to_array(weights[weight]))
            for part, values in (("int8", numbers), ("int8_scale", scale)):
                held.graph.initializer.append(numpy_helper.from_array(values, f"{weight}.{part}"))
            whole.add(weight)
        integer = [f"{source}.u8", f"{weight}.int8", f"{source}.u8_zero"]
        scales = [f"{source}.u8_scale", f"{weight}.int8_scale"]
        nodes += [
            helper.make_node("MatMulInteger", integer, [f"{out}.int32"]),
            helper.make_node("Cast", [f"{out}.int32"], [f"{out}.exact"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Mul", scales, [f"{out}.exact_scale"]),
            helper.make_node("Mul", [f"{out}.exact", f"{out}.exact_scale"], [out]),
        ]
    del held.graph.node[:]
    held.graph.node.extend(nodes)
    _drop_unused_weights(held.graph)
    return bytes(held.SerializeToString())


def _drop_unused_weights(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    left = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(left)


def _embeddings_to_int8(model: bytes) -> bytes:
    """Large embedding tables become int8 rows with a scale each: Gather both, multiply.

    onnxruntime's own Gather quantisation has one scale for the whole table.
    """
    held = onnx.load_from_string(model)
    tables = {
        item.name: item
        for item in held.graph.initializer
        if len(item.dims) == 2 and item.dims[0] >= _EMBEDDING_ROWS
    }
    nodes = []
    for node in held.graph.node:
        if node.op_type != "Gather" or node.input[0] not in tables:
            nodes.append(node)
            continue
        name, ids, out = node.input[0], node.input[1], node.output[0]
        nodes += [
            helper.make_node("Gather", [f"{name}.int8", ids], [f"{out}.int8"], axis=0),
            helper.make_node("Cast", [f"{out}.int8"], [f"{out}.float"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Gather", [f"{name}.scale", ids], [f"{out}.scale"], axis=0),
            helper.make_node("Mul", [f"{out}.float", f"{out}.scale"], [out]),
        ]
    del held.graph.node[:]
    held.graph.node.extend(nodes)
    for name, item in tables.items():
        rows = numpy_helper.to_array(item)
        scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12) / 127.0
        whole = np.clip(np.rint(rows / scale), -127, 127).astype(np.int8)
        held.graph.initializer.remove(item)
        held.graph.initializer.append(numpy_helper.from_array(whole, f"{name}.int8"))
        held.graph.initializer.append(
            numpy_helper.from_array(scale.astype(np.float32), f"{name}.scale")
        )
    return bytes(held.SerializeToString())
