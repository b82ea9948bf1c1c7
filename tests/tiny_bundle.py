"""A whole bundle made in milliseconds, without torch: a bag of letters and words behind ONNX.

The score is sigmoid(mean over tokens of weight[token]); the weights are drawn from a seed, and a
test that needs a text to score high or low gives words weights of its own.
"""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from hybridroute.edge_runtime.bundle import CARD, MODEL, TOKENIZER, Bundle
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import (
    CalibratedArm,
    Calibration,
    GoldenVector,
    Manifest,
    ScoreQuantiles,
)
from hybridroute.routed_text import TEXT_RULE
from hybridroute.score_quantiles import score_quantiles

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
EVEN = ScoreQuantiles(source="even", n=GRID + 1, values=tuple(i / GRID for i in range(GRID + 1)))
"""Quantiles of scores spread evenly over [0, 1]: cost advantage c is the threshold 1 - c."""


def tiny_tokenizer(words: Sequence[str] = ()) -> Tokenizer:
    """WordPiece that knows ASCII and ``words``; any other script is [UNK]."""
    plain = [*string.ascii_lowercase, *string.digits, *string.punctuation]
    pieces = [*plain, *(f"##{letter}" for letter in plain)]
    vocabulary = {token: at for at, token in enumerate(dict.fromkeys([*SPECIAL, *pieces, *words]))}
    held = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    held.normalizer = normalizers.BertNormalizer(lowercase=True)
    held.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    held.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=ends
    )
    held.add_special_tokens(list(SPECIAL))
    return held


def tiny_model(weights: np.ndarray) -> bytes:
    """The ONNX graph for token weights of shape (vocabulary,)."""
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["gathered"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["gathered", "mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "axis"], ["total"], keepdims=0),
        helper.make_node("ReduceSum", ["mask", "axis"], ["count"], keepdims=0),
        helper.make_node("Div", ["total", "count"], ["mean"]),
        helper.make_node("Sigmoid", ["mean"], ["score"]),
    ]
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, shape)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["batch"])],
        [
            numpy_helper.from_array(weights.astype(np.float32), "weights"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def write_tiny_bundle(
    path: Path,
    *,
    arms: Sequence[CalibratedArm] = (),
    calibration: Calibration | None = None,
    quantiles: ScoreQuantiles | Sequence[str] = EVEN,
    score_kind: str = "label",
    weights: Mapping[str, float] | None = None,
    golden: Sequence[str] = ("What is 2+2?", "Write a poem about the sea."),
    max_tokens: int = 128,
    unknown_token_limit: float = 0.3,
    training_hashes: Sequence[str] = (),
    seed: int = 0,
) -> Bundle:
    """Write a bundle to ``path`` and return it.

    ``quantiles`` may be prompts: they are then the quantiles of those prompts' scores. ``weights``
    are those of whole words, far from 0 for a word that decides, or of ``[UNK]``; all others are
    drawn from N(0, 1).
    """
    chosen = {
        word if word in SPECIAL else word.lower(): held for word, held in (weights or {}).items()
    }
    tokenizer = tiny_tokenizer(list(chosen))
    drawn = np.random.default_rng(seed).normal(size=tokenizer.get_vocab_size())
    for word, weight in chosen.items():
        drawn[tokenizer.token_to_id(word)] = weight
    manifest = Manifest(
        name="tiny",
        created="2026-01-01",
        hybridroute_version="0",
        score_kind=score_kind,
        text_rule=TEXT_RULE,
        max_tokens=max_tokens,
        unknown_token_limit=unknown_token_limit,
        arms=tuple(arms),
        calibration=calibration,
        score_quantiles=quantiles if isinstance(quantiles, ScoreQuantiles) else EVEN,
        training_hashes=tuple(training_hashes),
    )
    files = {
        MODEL: tiny_model(drawn),
        TOKENIZER: tokenizer.to_str().encode(),
        CARD: b"# A tiny router for tests\n",
    }
    bundle = Bundle.write(path, manifest, files)
    return Bundle.write(path, _measured(bundle, quantiles, golden), files)


def _measured(
    bundle: Bundle, quantiles: ScoreQuantiles | Sequence[str], golden: Sequence[str]
) -> Manifest:
    scorer = bundle.scorer(threads=1)
    vectors = tuple(
        GoldenVector(
            text=text, token_ids=scorer.encode(text).ids, score=float(scorer.score([text])[0])
        )
        for text in golden
    )
    manifest = replace(bundle.manifest, golden=vectors)
    if isinstance(quantiles, ScoreQuantiles):
        return manifest
    held = score_quantiles(scorer.score(list(quantiles)), "test prompts")
    return replace(manifest, score_quantiles=held)
