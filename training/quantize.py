"""fp32 ONNX -> int8: weights per output channel, word embeddings per row, activations dynamic."""

from __future__ import annotations

import contextlib
import logging
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

_EMBEDDING_ROWS = 4096


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
    from onnxruntime.quantization import QuantType, quantize_dynamic

    wanted = [name for name in weight_products(model) if name not in keep]
    if not wanted:  # an empty list would mean "all" to onnxruntime
        return _embeddings_to_int8(model)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        source, target = Path(folder) / "fp32.onnx", Path(folder) / "int8.onnx"
        source.write_bytes(_embeddings_to_int8(model))
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=wanted,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )
        return target.read_bytes()


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


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime's quantiser logs advice on pre-processing through the root logger."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(level)
