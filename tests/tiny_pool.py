"""A whole pool's bundle made in milliseconds: each arm is the mean of its word weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from pool_fakes import weight_table
from tiny_bundle import SPECIAL, tiny_tokenizer

from hybridroute.edge_runtime.bundle import CARD, MODEL, TOKENIZER, Bundle
from hybridroute.edge_runtime.manifest import CalibratedArm, GoldenVector, Manifest
from hybridroute.edge_runtime.pool import Pool, PoolArm
from hybridroute.routed_text import TEXT_RULE


def tiny_pool_model(weights: np.ndarray) -> bytes:
    """The ONNX graph for token weights of shape (vocabulary, arms)."""
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["gathered"]),
        helper.make_node("ReduceMean", ["gathered"], ["estimates"], axes=[1], keepdims=0),
        helper.make_node("Mul", ["estimates", "zero"], ["uncertainties"]),
    ]
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "tiny_pool",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, shape)
            for name in ("input_ids", "attention_mask")
        ],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", weights.shape[1]])
            for name in ("estimates", "uncertainties")
        ],
        [
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.zeros(1, dtype=np.float32), "zero"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_tiny_pool(
    path: Path,
    models: Mapping[str, str],
    words: Mapping[str, Sequence[float]],
    *,
    costs: Sequence[float] | None = None,
) -> Bundle:
    """Write a bundle that routes among ``models`` (name -> model), the cheapest first.

    ``words`` gives a word, or ``[UNK]``, its weight for each arm; all other tokens weigh nothing.
    """
    held = {word if word in SPECIAL else word.lower(): row for word, row in words.items()}
    tokenizer = tiny_tokenizer(list(held))
    weights = np.zeros((tokenizer.get_vocab_size(), len(models)))
    for word, row in held.items():
        weights[tokenizer.token_to_id(word)] = row
    usd = costs or [0.001 * place for place in range(len(models))]
    arms = tuple(
        PoolArm(name=name, model=model, quality=0.5, base_usd=cost, usd_per_character=0.0)
        for (name, model), cost in zip(models.items(), usd, strict=True)
    )
    manifest = Manifest(
        name="tiny pool",
        created="2026-01-01",
        hybridroute_version="0",
        score_kind="quality",
        text_rule=TEXT_RULE,
        max_tokens=128,
        unknown_token_limit=0.3,
        arms=tuple(CalibratedArm(name=arm.name, model=arm.model) for arm in arms),
        calibration=None,
        pool=Pool(
            estimator="words",
            arms=arms,
            source="test",
            n=10,
            best_single=arms[-1].name,
            dearest_usd=usd[-1],
            dial=weight_table(most=1.0, rising=True),
            advantage=weight_table(most=1.0),
            flat=False,
        ),
    )
    files = {
        MODEL: tiny_pool_model(weights),
        TOKENIZER: tokenizer.to_str().encode(),
        CARD: b"# A tiny router for tests\n",
    }
    bundle = Bundle.write(path, manifest, files)
    scorer = bundle.scorer(threads=1)
    text = "What is 2+2?"
    estimates = tuple(scorer.estimate([text])[0][0].tolist())
    golden = GoldenVector(
        text=text, token_ids=scorer.encode(text).ids, score=estimates[0], estimates=estimates
    )
    return Bundle.write(path, replace(manifest, golden=(golden,)), files)
