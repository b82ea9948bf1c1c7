"""The fine-tuned estimator: one head per arm, missing cells left out, a bundle like any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_pool_train import plan, table
from tiny_encoder import tiny_bert

from hybridroute.edge_runtime.bundle import MODEL
from hybridroute.edge_runtime.onnx_runtime import ort
from hybridroute.training.fit import head_loss
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.pool.train import train_pool


def test_a_missing_cell_is_not_fitted_to() -> None:
    logits = torch.tensor([[2.0, -1.0, 0.5]])
    known = torch.tensor([[1.0, float("nan"), 0.0]])
    alone = head_loss(logits[:, :1], known[:, :1]) + head_loss(logits[:, 2:], known[:, 2:])
    assert head_loss(logits, known).item() == pytest.approx(alone.item())
    assert head_loss(logits, torch.full((1, 3), float("nan"))).item() == 0.0


def test_it_learns_and_becomes_a_bundle(tmp_path: Path) -> None:
    held = plan(str(tiny_bert(tmp_path / "encoder")), tmp_path / "b", table(240, missing=0.1))
    config = FitConfig(
        encoder=held.config.encoder, max_tokens=32, epochs=4, learning_rate=5e-3, dropout=0.0
    )
    bundle, report = train_pool(replace(held, estimator="deberta", config=config))
    pool = bundle.manifest.pool
    assert pool is not None
    assert pool.estimator == "deberta"
    assert bundle.manifest.score_kind == "quality"
    found = report["report"]["test"]
    assert found["routed"]["quality"] > found["random"] + 0.1
    assert report["split"]["rows"]["select"] > 0
    session = ort.InferenceSession(bundle.read(MODEL), providers=["CPUExecutionProvider"])
    ids = np.full((1, 7), 5, dtype=np.int64)
    feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    estimates, state = session.run(["estimates", "embedding"], feeds)
    assert estimates.shape == (1, 3)
    assert np.linalg.norm(state) == pytest.approx(1.0, abs=1e-5)
