"""torch -> ONNX -> int8, on one small router with a vocabulary that counts as large."""

from __future__ import annotations

import copy
import errno
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from tiny_encoder import CLOUD, EDGE, outcomes, router_words, tiny_bert, tiny_deberta

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training import device_export, quantize
from hybridroute.training.device_export import export_for_device, torch_scores
from hybridroute.training.encoders import load_encoder
from hybridroute.training.export import to_onnx
from hybridroute.training.parity import Limits, Parity, parity_of
from hybridroute.training.quantize import to_int8, weight_products
from hybridroute.training.router_model import RouterModel, ScoringModule
from hybridroute.training.score_map import ScoreMap

TEXTS = ["a", "greet the sea", "prove the king is a wheel", "x y z " * 30, "是 什么", ""]


def tokenizer() -> RouterTokenizer:
    return RouterTokenizer(router_words(), max_tokens=32)


def router(encoder: Path) -> RouterModel:
    held = load_encoder(str(encoder), position_buckets=8, dropout=0.0)
    torch.manual_seed(1)
    model = RouterModel(held.module, width=held.width, heads="arms", pooling="mean")
    torch.nn.init.normal_(model.head.weight, std=0.5)
    return model.eval()


@pytest.fixture(scope="module")
def scoring(tmp_path_factory: pytest.TempPathFactory) -> ScoringModule:
    place = tiny_deberta(tmp_path_factory.mktemp("encoder"), vocabulary=5000)
    return ScoringModule(router(place), slope=2.0, offset=0.1).eval()


@pytest.fixture(scope="module")
def plain(scoring: ScoringModule) -> bytes:
    return to_onnx(scoring, max_tokens=32)


def scores(graph: bytes, **options: int) -> np.ndarray:
    return OnnxScorer(graph, tokenizer(), score_kind="gap", **options).score(TEXTS)


def test_the_graph_gives_torchs_scores(scoring: ScoringModule, plain: bytes) -> None:
    reference = torch_scores(scoring, TEXTS, tokenizer())
    assert len(np.unique(reference)) == len(TEXTS)
    np.testing.assert_allclose(scores(plain), reference, atol=1e-5)
    np.testing.assert_allclose(scores(plain, batch_size=4), reference, atol=1e-5)


def test_int8_is_smaller_and_close(scoring: ScoringModule, plain: bytes) -> None:
    small = to_int8(plain)
    onnx.checker.check_model(onnx.load_from_string(small))
    assert len(small) < 0.45 * len(plain)
    np.testing.assert_allclose(scores(small), scores(plain), atol=0.03)
    assert not np.array_equal(scores(small), scores(plain))


def test_products_can_be_left_in_fp32(plain: bytes) -> None:
    names = weight_products(plain)
    assert len(names) == 8  # four products in each of two layers

    def products(graph: bytes) -> int:
        ops = [node.op_type for node in onnx.load_from_string(graph).graph.node]
        return ops.count("MatMulInteger")

    assert products(to_int8(plain)) == len(names)
    assert products(to_int8(plain, keep=names[:3])) == len(names) - 3
    assert products(to_int8(plain, keep=names)) == 0


def test_embedding_rows_have_a_scale_each(plain: bytes) -> None:
    """With every product in fp32, what is left is the rounding of single rows."""
    held = to_int8(plain, keep=weight_products(plain))
    assert len(held) < len(plain)
    np.testing.assert_allclose(scores(held), scores(plain), atol=0.01)


def test_an_encoder_that_cannot_be_exported() -> None:
    class Odd(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> object:
            raise RuntimeError("no graph of this")

    model = RouterModel(Odd(), width=4, heads="label", pooling="mean")
    with pytest.raises(TrainingError, match="torch cannot export this encoder to ONNX"):
        to_onnx(ScoringModule(model, slope=1.0, offset=0.0), max_tokens=32)


def test_a_full_disk_is_not_the_encoders_fault(
    scoring: ScoringModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch.onnx, "export", full)
    with pytest.raises(TrainingError, match=r"cannot write to .*No space.*free space, or set TMPD"):
        to_onnx(scoring, max_tokens=32)


def exported(model: RouterModel, **changes: object) -> device_export.DeviceModel:
    held = {"weights": "int8", "max_bytes": 10**9, **changes}
    return export_for_device(
        model,
        ScoreMap(slope=2.0, offset=0.1),
        tokenizer(),
        rows=outcomes(60),
        edge=EDGE,
        cloud=CLOUD,
        seed=0,
        **held,
    )


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, plain: bytes) -> pytest.MonkeyPatch:
    """Few texts, and the graph exported above."""
    monkeypatch.setattr(device_export, "PARITY_TEXTS", 60)
    monkeypatch.setattr(device_export, "_PROBE_TEXTS", 10)
    monkeypatch.setattr(device_export, "to_onnx", lambda *_, **__: plain)
    return monkeypatch


@pytest.mark.parametrize("weights", ["int8", "fp32"])
def test_a_device_model_agrees_with_torch(quick, scoring: ScoringModule, weights: str) -> None:
    found = exported(scoring.model, weights=weights)
    assert (found.weights, found.kept_fp32) == (weights, ())
    assert found.fp32_parity.largest <= 1e-4
    assert (found.parity.largest > 1e-4) == (weights == "int8")


def test_disturbing_products_are_left_in_fp32(quick, scoring: ScoringModule) -> None:
    """One channel far above the others takes the levels of their inputs."""
    quick.setattr(quantize, "_EMBEDDING_ROWS", 10**9)  # only products disturb the scores then
    quick.setattr(device_export, "to_onnx", to_onnx)
    model = copy.deepcopy(scoring.model)
    with torch.no_grad():
        model.encoder.embeddings.LayerNorm.weight[0] *= 100.0
    quick.setattr(device_export, "INT8", Limits(p99=1.0, largest=1.0, apgr=1.0))
    free = exported(model).parity
    limit = Limits(p99=free.p99, largest=free.largest * 0.6, apgr=1.0)
    quick.setattr(device_export, "INT8", limit)
    found = exported(model)
    assert found.kept_fp32
    assert found.parity.largest <= limit.largest


def test_a_graph_that_a_few_texts_rule_out_is_not_measured_on_all(
    quick, scoring: ScoringModule
) -> None:
    measured: list[int] = []

    def counted(*arguments: object, **options: object) -> Parity:
        measured.append(1)
        return parity_of(*arguments, **options)

    quick.setattr(device_export, "parity_of", counted)
    quick.setattr(device_export, "INT8", Limits(p99=0.0, largest=0.0, apgr=0.0))
    with pytest.raises(TrainingError, match="the int8 router does not agree"):
        exported(scoring.model)
    assert len(measured) == 2  # fp32, and the most accurate int8 graph, which is what is refused


def test_what_cannot_be_brought_within_the_limits_is_refused(quick, scoring, caplog) -> None:
    quick.setattr(device_export, "INT8", Limits(p99=0.0, largest=0.0, apgr=0.0))
    quick.setattr(device_export, "_most_disturbing", lambda *_: [])
    with pytest.raises(TrainingError, match="the int8 router does not agree with torch on 60"):
        exported(scoring.model, max_bytes=1)
    assert "over 1" in caplog.text


def test_a_graph_of_another_model_is_refused(quick, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the fp32 router does not agree with torch"):
        exported(router(tiny_bert(tmp_path)))
