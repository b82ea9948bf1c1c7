"""training/pool/fine_tuned_estimator.py: a fine-tuned router behind the seam of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from pool_case import queries_of
from test_latency import tiny_encoder
from test_pool_train import table
from tiny_bundle import tiny_tokenizer
from tiny_encoder import tiny_bert

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.judging.all_runs import Plan
from hybridroute.training.judging.contenders import contenders_of
from hybridroute.training.judging.contest import contest
from hybridroute.training.judging.latency import device_timer
from hybridroute.training.judging.records import records_of
from hybridroute.training.pool.fine_tuned_estimator import FineTunedEstimator
from hybridroute.training.pool.score_table import ScoreTable


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> FitConfig:
    return FitConfig(
        encoder=str(tiny_bert(tmp_path_factory.mktemp("encoder"))),
        max_tokens=32,
        epochs=4,
        learning_rate=5e-3,
        dropout=0.0,
    )


def test_it_is_judged_beside_the_others(config: FitConfig) -> None:
    """Judged on rows it never saw, by the graph that a device would run."""
    records = records_of(ScoreTable.of(table(240)))
    queries = queries_of(records.table)
    tokenizer = RouterTokenizer(tiny_tokenizer(), max_tokens=16)
    timer = device_timer(
        tiny_encoder(tiny_tokenizer().get_vocab_size()), tokenizer, records.table.texts
    )
    contenders = contenders_of(("random", "deberta"), fine_tuning=config)
    plan = Plan(held_out="prompts", seeds=1, resamples=50, timer=timer)
    found = contest(records, queries, contenders, plan).found
    assert found.protocol.notes == ()
    entry = found.row("deberta")
    assert entry.kind == "quality"
    assert entry.setting == ("4 epochs",)
    assert entry.quality > found.row("random").quality + 0.1
    assert entry.route_ms is not None
    assert entry.route_ms > 0.0


def test_a_seed_gives_the_same_estimates_again(config: FitConfig) -> None:
    held = ScoreTable.of(table(80, missing=0.1))
    queries = queries_of(held)
    estimator = FineTunedEstimator(config=replace(config, epochs=1))
    one, again = (
        estimator.fit(queries, held.quality, seed=1).estimate(queries).mean for _ in range(2)
    )
    assert one.shape == held.quality.shape
    assert np.array_equal(one, again)


def test_what_it_cannot_be_fitted_on(config: FitConfig) -> None:
    held = ScoreTable.of(table(80))
    queries = queries_of(held)
    estimator = FineTunedEstimator(config=config)
    with pytest.raises(ConfigError, match="embeddings alone"):
        estimator.fit(replace(queries, texts=()), held.quality, seed=0)
    gone = held.quality.copy()
    gone[:, 1] = np.nan
    with pytest.raises(DataError, match="no outcome"):
        estimator.fit(queries, gone, seed=0)
