"""One graph from token ids to every arm's estimate: a frozen encoder and an estimator's head."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hybridroute.edge_runtime.onnx_scorer import ATTENTION_MASK, ESTIMATES, UNCERTAINTIES
from hybridroute.training.pool.head_graph import OPSET, TOKENS

_STEM = "head"
_AXIS = np.array([1], dtype=np.int64)


def router_graph(encoder: bytes, head: onnx.GraphProto) -> bytes:
    """The device's graph.

    Parameters
    ----------
    encoder : bytes
        ``input_ids`` and ``attention_mask`` to ``embedding``; its nodes stay as they are, so that
        states are the same with every head.
    head : GraphProto
        As :meth:`FittedHead.head` gives it.

    Returns
    -------
    bytes
        With ``embedding`` still among the outputs.
    """
    model = onnx.load_from_string(encoder)
    attach(model, head, stem=_STEM)
    return bytes(model.SerializeToString())


def attach(model: onnx.ModelProto, head: onnx.GraphProto, *, stem: str) -> None:
    """Add a head to a model that has what it takes; its inner names begin with ``stem``."""
    given = {item.name for item in head.input}
    shared = (given - {TOKENS}) | {item.name for item in head.output}
    if TOKENS in given:
        _add_tokens(model.graph, f"{stem}/{TOKENS}")

    def renamed(names: Iterable[str]) -> list[str]:
        return [name if name in shared or not name else f"{stem}/{name}" for name in names]

    for node in head.node:
        copy = model.graph.node.add()
        copy.CopyFrom(node)
        copy.name = f"{stem}/{node.name}"
        inputs, outputs = renamed(node.input), renamed(node.output)
        del copy.input[:], copy.output[:]
        copy.input.extend(inputs)
        copy.output.extend(outputs)
    for constant in head.initializer:
        held = model.graph.initializer.add()
        held.CopyFrom(constant)
        held.name = f"{stem}/{constant.name}"
    model.graph.output.extend(head.output)


def set_aside(model: onnx.ModelProto, suffix: str) -> dict[str, str]:
    """Give estimates and uncertainties other names, for a head that reads them; old to new names.

    Their nodes stay as they are, and so do their values.
    """
    held = [item for item in model.graph.output if item.name in (ESTIMATES, UNCERTAINTIES)]
    names = {item.name: f"{item.name}{suffix}" for item in held}
    for item in held:
        model.graph.output.remove(item)
    for node in model.graph.node:
        for values in (node.input, node.output):
            renamed = [names.get(value, value) for value in values]
            del values[:]
            values.extend(renamed)
    return names


def _add_tokens(graph: onnx.GraphProto, name: str) -> None:
    """The number of tokens of each text, (batch, 1)."""
    axis = f"{name}_axis"
    graph.initializer.append(numpy_helper.from_array(_AXIS, axis))
    graph.node.extend(
        [
            helper.make_node(
                "ReduceSum",
                [ATTENTION_MASK, axis],
                [f"{name}_whole"],
                name=f"{name}_whole",
                keepdims=1,
            ),
            helper.make_node("Cast", [f"{name}_whole"], [name], name=name, to=TensorProto.FLOAT),
        ]
    )


def head_model(head: onnx.GraphProto) -> bytes:
    """A head alone as a model, to be run on embeddings."""
    model = helper.make_model(head, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    return bytes(model.SerializeToString())
