"""``hybridroute train --estimator``: from outcomes of many arms to a bundle that routes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_run import run
from tiny_encoder import EASY, HARD, tiny_bert

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import ConfigError, DataError, TrainingError
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.pool.new_bundle import FITTED_QUALITY
from hybridroute.training.pool.registry import ESTIMATORS
from hybridroute.training.pool.split import split_pool
from hybridroute.training.pool.train import PoolPlan, train_pool
from hybridroute.training.rows_seen import CALIBRATION_HASHES

COSTS = {"poet": 0.001, "prover": 0.002, "sage": 0.02}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The encoder is exported once for all."""
    place = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYBRIDROUTE_CACHE", str(place))
        yield place


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_bert(tmp_path_factory.mktemp("encoder")))


def table(n: int = 240, *, costs: bool = True, missing: float = 0.0) -> OutcomeTable:
    """The poet greets, the prover proves, the sage does both at ten times the price."""
    draw = np.random.default_rng(0)
    rows = []
    for at in range(n):
        easy = bool(at % 2)
        chances = {"prover": 0.1 if easy else 0.9, "sage": 0.95, "poet": 0.9 if easy else 0.1}
        arms = {
            name: ArmOutcome(
                quality=(float(draw.random() < chance),),
                cost_usd=(COSTS[name],) if costs else None,
            )
            for name, chance in chances.items()
            if name == "sage" or draw.random() >= missing
        }
        word = EASY if easy else HARD
        rows.append(Outcome(id=str(at), prompt=f"{word} {word} the sea {at} {word}", arms=arms))
    return OutcomeTable(rows=tuple(rows), source="made up")


def plan(encoder: str, out: Path, outcomes: OutcomeTable, estimator: str = "ridge") -> PoolPlan:
    config = FitConfig(encoder=encoder, max_tokens=32)
    return PoolPlan(
        outcomes=outcomes,
        estimator=estimator,
        out=out,
        work=out.with_name("work"),
        name="three",
        config=config,
        command="made",
    )


@pytest.mark.parametrize("estimator", sorted(ESTIMATORS))
def test_every_estimator_becomes_a_bundle(encoder: str, tmp_path: Path, estimator: str) -> None:
    train_pool(plan(encoder, tmp_path / "b", table(missing=0.1), estimator))
    bundle = Bundle.load(tmp_path / "b")
    pool = bundle.manifest.pool
    assert pool is not None
    assert [arm.name for arm in pool.arms] == ["poet", "prover", "sage"]
    assert pool.estimator == estimator
    scorer = bundle.scorer()
    for vector in bundle.manifest.golden:
        found = scorer.assess(vector.text)
        assert found.estimates == pytest.approx(vector.estimates, abs=1e-5)
    card = (tmp_path / "b" / "README.md").read_text()
    assert "| prover |" in card
    assert "oracle" in card


def test_the_dial_spends_where_it_helps(encoder: str, tmp_path: Path) -> None:
    stages: list[str] = []
    bundle, report = train_pool(plan(encoder, tmp_path / "b", table(480)), on_stage=stages.append)
    assert [stage.split()[0] for stage in stages] == ["fitting", "calibrating", "judging"]
    pool = bundle.manifest.pool
    assert pool is not None
    assert not pool.flat
    found = report["report"]["test"]
    assert found["routed"]["quality"] > found["random"] + 0.1
    assert pool.dial.cost_usd[0] == pytest.approx(COSTS["poet"], rel=1e-6)
    assert pool.dial.cost_usd[500] < COSTS["sage"]
    assert pool.dial.quality[-1] == max(pool.dial.quality)
    assert pool.best_single == "sage"
    assert pool.dearest_usd == pytest.approx(COSTS["sage"], rel=1e-6)
    assert len(bundle.manifest.training_hashes) == report["split"]["rows"]["fit"]
    facts = bundle.manifest.training
    assert len(facts[CALIBRATION_HASHES]) == report["split"]["rows"]["calibrate"]
    assert not set(facts[CALIBRATION_HASHES]) & set(bundle.manifest.training_hashes)
    assert max(facts[FITTED_QUALITY], key=facts[FITTED_QUALITY].get) == "sage"
    assert CALIBRATION_HASHES not in report  # hundreds, which nobody would read on a terminal
    card = (tmp_path / "b" / "README.md").read_text()
    assert f"and {len(facts[CALIBRATION_HASHES])} of its calibration rows" in card


def test_rows_out_of_scope_are_the_best_single_arms_everywhere(
    encoder: str, tmp_path: Path
) -> None:
    """In the tables of the bundle as in the report on test rows."""
    held = table(480)
    rows = [
        replace(row, prompt=f"这是什么东西{at}") if at % 4 == 0 else row
        for at, row in enumerate(held.rows)
    ]
    made = plan(encoder, tmp_path / "b", OutcomeTable(rows=tuple(rows), source="made up"))
    bundle, report = train_pool(made)
    pool = bundle.manifest.pool
    assert pool is not None
    split = split_pool(made.outcomes, None, by="prompt", seed=0, with_selection=False)
    strange = np.mean(["这" in text for text in split.calibrate.texts])
    assert 0.1 < strange < 0.5
    wanted = strange * COSTS["sage"] + (1.0 - strange) * COSTS["poet"]
    assert pool.dial.cost_usd[0] == pytest.approx(wanted, rel=1e-5)
    assert "out of scope" in pool.source
    found = report["report"]["test"]
    outside = sum("这" in text for text in split.test.texts)
    assert found["n_out_of_scope"] == outside > 0
    assert found["shares"]["sage"] >= outside / found["n"]
    assert found["dials"][0]["usd"] > COSTS["poet"]
    assert f"{outside} of them out of scope" in (tmp_path / "b" / "README.md").read_text()


def test_without_costs_the_pool_is_flat_and_says_so(encoder: str, tmp_path: Path) -> None:
    bundle, report = train_pool(plan(encoder, tmp_path / "b", table(costs=False)))
    pool = bundle.manifest.pool
    assert pool is not None
    assert pool.flat
    assert "cost the same" in str(pool.flat_reason)
    assert "no costs are stated" in report["costs"]


def test_the_command_trains_and_prints_json(encoder: str, tmp_path: Path) -> None:
    outcomes = tmp_path / "outcomes.jsonl"
    lines = [
        {
            "id": row.id,
            "prompt": row.prompt,
            "arms": {name: {"quality": held.quality[0]} for name, held in row.arms.items()},
        }
        for row in table(120).rows
    ]
    outcomes.write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "bundle"
    arguments = ["train", "--estimator", "cluster-best", "--outcomes", str(outcomes)]
    arguments += ["--encoder", encoder, "--max-tokens", "32", "--arms", "prover,sage"]
    arguments += ["--cost", "prover=0.001", "--cost", "sage=0.01", "--model", "sage=big-model"]
    done = run(*arguments, "--out", str(out), "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["split"]["arms_left_out"] == ["poet"]
    pool = Bundle.load(out).manifest.pool
    assert pool is not None
    assert [(arm.name, arm.model, arm.base_usd) for arm in pool.arms] == [
        ("prover", "prover", 0.001),
        ("sage", "big-model", 0.01),
    ]
    done = run("train", "--outcomes", str(outcomes), "--out", str(out), cwd=tmp_path)
    assert done.returncode == 2
    assert "--estimator" in done.stderr


def test_what_cannot_be_trained_is_refused_before_the_fit(encoder: str, tmp_path: Path) -> None:
    held = plan(encoder, tmp_path / "b", table())
    with pytest.raises(DataError, match="no arm 'oracle'"):
        train_pool(replace(held, arms=("poet", "oracle")))
    with pytest.raises(ConfigError, match="two or more"):
        train_pool(replace(held, arms=("poet",)))
    with pytest.raises(ConfigError, match="no estimator 'tree'"):
        train_pool(replace(held, estimator="tree"))
    with pytest.raises(ConfigError, match="cost is stated for 'oracle'"):
        train_pool(replace(held, costs={"oracle": 1.0}))
    with pytest.raises(ConfigError, match="'prover' has no cost"):
        train_pool(replace(held, outcomes=table(costs=False), costs={"poet": 0.0, "sage": 1.0}))
    level = [
        replace(row, arms={name: ArmOutcome(quality=(0.5,)) for name in row.arms})
        for row in table().rows
    ]
    with pytest.raises(TrainingError, match=r"every quality is 0\.5"):
        train_pool(replace(held, outcomes=OutcomeTable(rows=tuple(level), source="level")))
    assert not (tmp_path / "b").exists()
