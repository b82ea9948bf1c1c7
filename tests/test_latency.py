"""training/judging/latency.py: what is timed is the whole way, from text to estimates."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from pool_case import drawn_scores, queries_of
from tiny_bundle import tiny_tokenizer

from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.judging.latency import device_timer
from hybridroute.training.pool.head_graph import OPSET
from hybridroute.training.pool.neighbours import Neighbours
from hybridroute.training.pool.ridge import Ridge

WIDTH = 8


def tiny_encoder(vocabulary: int) -> bytes:
    """The mean of random states of the tokens."""
    states = np.random.default_rng(0).standard_normal((vocabulary, WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["states", "input_ids"], ["gathered"]),
        helper.make_node("ReduceMean", ["gathered", "axis"], ["embedding"], keepdims=0),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])]
    axis = numpy_helper.from_array(np.array([1], dtype=np.int64), "axis")
    held = [numpy_helper.from_array(states, "states"), axis]
    graph = helper.make_graph(nodes, "tiny_encoder", inputs, outputs, held)
    opsets = [helper.make_opsetid("", OPSET)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def test_each_text_is_routed_by_the_joined_graph() -> None:
    table = drawn_scores(120, 3)
    queries = queries_of(table, width=WIDTH)
    tokenizer = RouterTokenizer(tiny_tokenizer(), max_tokens=16)
    timer = device_timer(tiny_encoder(tiny_tokenizer().get_vocab_size()), tokenizer, table.texts)
    for estimator in (Ridge(with_length=True, alphas=(1.0,)), Neighbours(k=5)):
        p50, p95 = timer(estimator.fit(queries, table.quality, seed=0))
        assert 0.0 < p50 <= p95


def test_the_tiny_encoder_is_a_model() -> None:
    onnx.checker.check_model(tiny_encoder(20))
