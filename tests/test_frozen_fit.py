"""Frozen heads: as networks they give what the baselines give, and as graphs what torch gives."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import CLOUD, EDGE, outcomes, router_words, tiny_bert, tiny_config

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.onnx_scorer import OnnxScorer
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.baselines import LogisticBaseline, NeighbourBaseline, RidgeBaseline
from hybridroute.training.batches import fit_rows
from hybridroute.training.bootstrap import area_difference
from hybridroute.training.curve import curve_of
from hybridroute.training.device_export import torch_scores
from hybridroute.training.embeddings import frozen_embeddings
from hybridroute.training.export import to_onnx
from hybridroute.training.fit import evidence_of
from hybridroute.training.frozen_fit import FrozenFit
from hybridroute.training.metrics import area_over_random
from hybridroute.training.router_model import ScoringModule


@pytest.mark.parametrize("kind", ["ridge", "logistic", "knn"])
def test_the_network_is_the_baseline_and_the_graph_the_network(tmp_path: Path, kind: str) -> None:
    config = tiny_config(tiny_bert(tmp_path), neighbours=7)
    table = outcomes(80)
    edge_q, cloud_q = table.mean_quality(EDGE), table.mean_quality(CLOUD)
    label = (edge_q >= cloud_q).astype(float)
    targets = np.stack([edge_q, cloud_q, label], axis=1).astype(np.float32)
    tokenizer = RouterTokenizer(router_words(), max_tokens=32)
    rows = fit_rows(table.texts(), targets, tokenizer)
    frozen = FrozenFit(config, rows, max_bytes=10**9)
    model = frozen.head(replace(config, fit=kind), targets)
    states = frozen_embeddings(table.texts(), encoder=config.encoder, max_tokens=32)
    if kind == "knn":
        expected = NeighbourBaseline.fit(states, edge_q, cloud_q, k=7, soft=True).predicted_gap(
            states
        )
    elif kind == "ridge":
        expected = RidgeBaseline.fit(states, edge_q, cloud_q).predicted_gap(states)
    else:
        chance = LogisticBaseline.fit(states, label).score(states)
        expected = np.log(chance / (1.0 - chance))
    # The tiny encoder's states are nearly parallel: neighbours differ in the last digits of fp32.
    near = 1e-2 if kind == "knn" else 1e-3
    off = np.abs(evidence_of(model, rows) - expected)
    assert np.median(off) < near / 2
    assert np.mean(off < near) > 0.9
    assert model.score_kind == ("label" if kind == "logistic" else "gap")
    scoring = ScoringModule(model, slope=2.0, offset=0.1).eval()
    scorer = OnnxScorer(to_onnx(scoring, max_tokens=32), tokenizer, score_kind=model.score_kind)
    off = np.abs(scorer.score(table.texts()) - torch_scores(scoring, table.texts(), tokenizer))
    assert np.mean(off < (1e-2 if kind == "knn" else 1e-4)) > 0.9


def test_a_knn_head_too_large_for_the_graph_stores_fewer_rows(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = tiny_config(tiny_bert(tmp_path), fit="knn", neighbours=7)
    table = outcomes(80)
    targets = np.random.default_rng(0).random((80, 3)).astype(np.float32)
    rows = fit_rows(table.texts(), targets, RouterTokenizer(router_words(), max_tokens=32))
    head = FrozenFit(config, rows, max_bytes=4 * 32 * 30).head(config, targets).head
    assert head.rows.shape == (32, 30)
    assert set(head.gap.tolist()) <= set((targets[:, 0] - targets[:, 1]).tolist())
    assert "stores 30 of 80 fitted rows, drawn at random" in caplog.text


def test_ridge_takes_the_penalty_that_leaving_one_out_prefers() -> None:
    draw = np.random.default_rng(0)
    states = draw.standard_normal((40, 5))
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    edge_q, cloud_q = unit @ draw.standard_normal(5) + 0.3 * draw.standard_normal(40), np.zeros(40)

    def left_out(alpha: float) -> float:
        total = 0.0
        for row in range(40):
            keep = np.arange(40) != row
            held = RidgeBaseline.fit(unit[keep], edge_q[keep], cloud_q[keep], alphas=[alpha])
            total += float(held.predicted_gap(unit[[row]])[0] - edge_q[row]) ** 2
        return total

    alphas = (0.01, 1.0, 100.0)
    assert RidgeBaseline.fit(unit, edge_q, cloud_q, alphas=alphas).alpha == min(
        alphas, key=left_out
    )
    with pytest.raises(ConfigError, match="alphas are"):
        RidgeBaseline.fit(unit, edge_q, cloud_q, alphas=[0.0])


def test_the_area_difference_is_that_of_the_curves() -> None:
    draw = np.random.default_rng(1)
    one, other = draw.random(50).round(1), draw.random(50)
    edge_q, cloud_q = draw.random(50), draw.random(50)
    held = area_difference(one, other, edge_q, cloud_q, resamples=200)
    areas = [area_over_random(curve_of(scores, edge_q, cloud_q)) for scores in (one, other)]
    assert held.estimate == pytest.approx(areas[0] - areas[1])
    assert held.low < held.estimate < held.high
