"""An estimator's head as an ONNX graph, node by node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from hybridroute.edge_runtime.onnx_scorer import EMBEDDING, ESTIMATES, UNCERTAINTIES

TOKENS = "tokens"
OPSET = 18
"""The least opset of the graphs that heads stand in: reductions take their axes as an input."""
_LEVELS = 127.0
_NONE: Mapping[str, Any] = {}


class HeadGraph:
    """Collects nodes that compute from ``embedding`` and ``tokens``; every value has a name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._inputs: dict[str, int] = {}

    def embedding(self, width: int) -> str:
        """The state, (batch, width)."""
        return self.given(EMBEDDING, width)

    def tokens(self) -> str:
        """The length in tokens, (batch, 1)."""
        return self.given(TOKENS, 1)

    def given(self, name: str, width: int) -> str:
        """An input of shape (batch, width)."""
        self._inputs[name] = width
        return name

    def floats(self, values: ArrayLike) -> str:
        """A constant in float32."""
        return self._constant(np.asarray(values, dtype=np.float32))

    def integers(self, values: ArrayLike) -> str:
        """A constant in int64, such as axes and sizes."""
        return self._constant(np.asarray(values, dtype=np.int64))

    def whole(self, values: ArrayLike) -> str:
        """A constant of whole numbers from -127 to 127: a byte each in the file, then floats."""
        held = self._constant(np.asarray(values, dtype=np.int8))
        return self.op("Cast", held, attributes={"to": TensorProto.FLOAT})

    def stored_rows(self, rows: ArrayLike) -> str:
        """Rows as :func:`rounded_rows` rounds them, a byte a number, as a product's weight (d, n).

        onnxruntime multiplies them out once, when it loads the graph.
        """
        whole, scale = _whole_rows(np.asarray(rows, dtype=np.float64))
        return self.op("Mul", self.whole(np.ascontiguousarray(whole.T)), self.floats(scale.T))

    def _constant(self, values: np.ndarray) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def op(self, kind: str, *inputs: str, attributes: Mapping[str, Any] = _NONE) -> str:
        """Add a node of one output; its name."""
        return self.ops(kind, *inputs, outputs=1, attributes=attributes)[0]

    def ops(
        self, kind: str, *inputs: str, outputs: int, attributes: Mapping[str, Any] = _NONE
    ) -> list[str]:
        """Add a node of several outputs; their names."""
        at = len(self._nodes)
        names = [f"{kind.lower()}_{at}_{part}" for part in range(outputs)]
        node = helper.make_node(kind, list(inputs), names, name=f"{kind.lower()}_{at}")
        node.attribute.extend(helper.make_attribute(key, held) for key, held in attributes.items())
        self._nodes.append(node)
        return names

    def total(self, of: str, *, axis: int, keep: bool = False) -> str:
        """The sum over one axis."""
        return self.op("ReduceSum", of, self.integers([axis]), attributes={"keepdims": int(keep)})

    def finished(self, estimates: str, uncertainties: str | None = None) -> onnx.GraphProto:
        """The graph, its outputs called as the device's router calls them."""
        outputs = {ESTIMATES: estimates}
        if uncertainties is not None:
            outputs[UNCERTAINTIES] = uncertainties
        for name, source in outputs.items():
            self._nodes.append(helper.make_node("Identity", [source], [name], name=name))
        return helper.make_graph(
            self._nodes,
            "head",
            [_floats_of(name, ["batch", width]) for name, width in self._inputs.items()],
            [_floats_of(name, ["batch", "arms"]) for name in outputs],
            self._constants,
        )


def rounded_rows(rows: ArrayLike) -> np.ndarray:
    """Rows of shape (n, d) rounded to 127 levels each, as :meth:`HeadGraph.stored_rows` has them.

    An estimator that stores rows is fitted with the rounded ones, so that rounding moves nothing
    between the fit and the device.
    """
    whole, scale = _whole_rows(np.asarray(rows, dtype=np.float64))
    return whole * scale.astype(np.float64)


def _whole_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-12) / _LEVELS
    scale = scale.astype(np.float32)
    return np.clip(np.rint(rows / scale), -_LEVELS, _LEVELS), scale


def _floats_of(name: str, shape: list[Any]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
