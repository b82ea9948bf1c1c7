"""From outcomes to a bundle, on a small DeBERTa: every kind of pair, and what is refused early."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import (
    CLOUD,
    EASY,
    EDGE,
    HARD,
    mapped,
    outcomes,
    router_words,
    tiny_bert,
    tiny_config,
    tiny_deberta,
    tiny_plan,
)

from hybridroute.edge_runtime.bundle import CARD, Bundle
from hybridroute.edge_runtime.errors import BundleError, ConfigError, DataError, TrainingError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.router_source import open_bundle
from hybridroute.training import candidates
from hybridroute.training.batches import fit_rows
from hybridroute.training.fit import evidence_of
from hybridroute.training.fit_seeds import SelectionRows, fit_seeds, new_model
from hybridroute.training.labels import labels_at
from hybridroute.training.metrics import ece
from hybridroute.training.pair_split import split_pair
from hybridroute.training.pipeline import Trained, train
from hybridroute.training.targets import QualityScale, targets_of
from hybridroute.training.training_plan import TrainingPlan


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run, and the plan it followed."""

    plan: TrainingPlan
    trained: Trained
    steps: list[tuple[int, int, int]]
    stages: list[str]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One layer: tracing it for the export is what takes the time here."""
    return tiny_deberta(tmp_path_factory.mktemp("encoder"), layers=1)


@pytest.fixture(scope="module")
def run(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two seeds, int8, baselines: the whole line, on a split by domain."""
    plan = tiny_plan(
        outcomes(300, domains=40),
        tiny_config(encoder, epochs=2),
        tmp_path_factory.mktemp("run"),
        seeds=(1, 2),
        weights="int8",
        baselines=True,
        split_by="domain",
        sources=("made up, CC0",),
    )
    steps: list[tuple[int, int, int]] = []
    stages: list[str] = []
    trained = train(
        plan,
        on_step=lambda seed, step, total, _: steps.append((seed, step, total)),
        on_stage=stages.append,
    )
    return Run(plan=plan, trained=trained, steps=steps, stages=stages)


def test_each_stage_is_told(run: Run) -> None:
    begun = [stage.split()[0] for stage in run.stages]
    assert begun == ["loading", "fine-tuning", "exporting,", "calibrating", "judging"]
    assert "and the baselines" in run.stages[-1]


def test_the_bundle_opens_and_its_golden_vectors_hold(run: Run) -> None:
    bundle = open_bundle(run.plan.out)
    assert bundle.manifest == run.trained.bundle.manifest
    assert bundle.model_names == (EDGE, CLOUD)
    assert bundle.manifest.score_kind == "gap"
    scorer = bundle.scorer()
    for golden in bundle.manifest.golden:
        assert scorer.encode(golden.text).ids == golden.token_ids
        assert scorer.assess(golden.text).score == pytest.approx(golden.score, abs=1e-6)


def test_it_learnt_which_queries_need_the_cloud(run: Run) -> None:
    scorer = run.trained.bundle.scorer()
    easy, hard = (scorer.score([f"{word} the river", f"{word} music 7"]) for word in (EASY, HARD))
    assert easy.min() > hard.max()
    found = run.trained.report["report"]["unseen"]
    assert found["apgr"] > 0.6
    assert {row["name"] for row in found["baselines"]} >= {"random", "length", "kNN, k = 50"}


def test_the_report_counts_what_was_held_out(run: Run) -> None:
    report = run.trained.report
    split = split_pair(run.plan.outcomes, EDGE, CLOUD, by="domain", seed=0)
    for name, part in (("unseen", split.test), ("seen", split.seen)):
        assert report["report"][name]["n"] == len(part)
        assert report["report"][name]["n_seen_in_training"] == 0
    hashes = {*split.fit.prompt_hashes(), *split.select.prompt_hashes()}
    assert set(run.trained.bundle.manifest.training_hashes) == hashes
    json.dumps(report, allow_nan=False)
    assert report["quality"] == {"name": "as given", "source": "synthetic"}
    assert run.trained.bundle.manifest.training["quality"] == report["quality"]


def test_the_better_seed_is_kept(run: Run) -> None:
    seeds = {item["seed"]: item["select"] for item in run.trained.report["seeds"]}
    assert set(seeds) == {1, 2}
    assert run.trained.report["chosen_seed"] == max(seeds, key=lambda seed: seeds[seed])
    assert {seed for seed, _, _ in run.steps} == {1, 2}
    assert max(step for _, step, _ in run.steps) == run.steps[0][2]


def test_the_dial_has_something_to_turn(run: Run) -> None:
    calibration = run.trained.bundle.manifest.calibration
    assert calibration is not None
    assert not calibration.flat
    dials = run.trained.report["report"]["unseen"]["dials"]
    shares = [row["cloud_share"] for row in dials]
    assert shares == sorted(shares)
    assert shares[-1] > shares[0]


def test_the_card_states_data_numbers_and_command(run: Run) -> None:
    card = run.trained.bundle.read(CARD).decode()
    found = run.trained.report["report"]["unseen"]
    for said in (
        "made up, CC0",
        f"**this router** | {found['apgr']:.3f} [",
        "| kNN, k = 50 |",
        "Test rows (domains it never saw)",
        "Held-out rows of domains it was fitted on",
        "Intervals resample domains, then rows.",
        "from quality as given in synthetic:",
        "hybridroute train",
        "Weights int8; against torch on 1000 texts",
    ):
        assert said in card
    assert "None" not in card


def test_the_same_plan_gives_the_same_router(encoder: Path, tmp_path: Path) -> None:
    table, config = outcomes(60), tiny_config(encoder, epochs=1)
    split = split_pair(table, EDGE, CLOUD, by="prompt", seed=0)
    tokenizer = RouterTokenizer(router_words(), max_tokens=32)
    scale = QualityScale.of(split.fit, EDGE, CLOUD)
    targets = targets_of(split.fit, EDGE, CLOUD, kind="det", scale=scale, seed=0)
    rows = fit_rows(split.fit.texts(), targets.values, tokenizer)
    selection = SelectionRows.of(split.select, EDGE, CLOUD, tokenizer)
    one, two, other = (
        evidence_of(
            fit_seeds(rows, selection, config, seeds=(seed,), folder=tmp_path / name).model, rows
        )
        for name, seed in (("one", 1), ("two", 1), ("other", 2))
    )
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def graded(edge: float, cloud: float) -> tuple[float, float]:
    """BARTScore-like: negative, the cloud a little better throughout, the edge far off at times."""
    return (-1.1 if edge else -2.5), -1.0


def test_refit_learns_from_the_selection_rows_too(encoder: Path, tmp_path: Path) -> None:
    plan = tiny_plan(
        outcomes(120), tiny_config(encoder, epochs=1), tmp_path, seeds=(4,), refit=True
    )
    trained = train(plan)
    split = split_pair(plan.outcomes, EDGE, CLOUD, by="prompt", seed=0)
    rows = trained.report["split"]["rows"]
    assert (rows["fit"], rows["select"]) == (len(split.fit) + len(split.select), 0)
    last = -(-rows["fit"] // plan.config.batch_size)
    assert trained.report["seeds"] == [{"seed": 4, "select": None, "best_step": last}]
    hashes = {*split.fit.prompt_hashes(), *split.select.prompt_hashes()}
    assert set(trained.bundle.manifest.training_hashes) == hashes
    assert trained.report["report"]["unseen"]["n_seen_in_training"] == 0
    assert "Selection value" not in trained.bundle.read(CARD).decode()


@pytest.mark.parametrize("heads", ["arms", "label"])
def test_negative_qualities_and_trans(encoder: Path, tmp_path: Path, heads: str) -> None:
    table = mapped(outcomes(200), graded)
    config = tiny_config(encoder, epochs=2, label="trans", heads=heads)
    trained = train(tiny_plan(table, config, tmp_path))
    report, manifest = trained.report, trained.bundle.manifest
    assert report["labels"]["kind"] == "trans"
    assert report["labels"]["t_star"] == pytest.approx(0.1)
    assert report["quality_range"] == [-2.5, -1.0]
    assert manifest.calibration.edge_quality < manifest.calibration.cloud_quality < 0
    assert manifest.score_kind == ("gap" if heads == "arms" else "label")
    found = report["report"]["unseen"]
    assert found["apgr"] > 0.6
    card = trained.bundle.read(CARD).decode()
    assert "`trans` with t* = 0.1 from quality as given in synthetic:" in card
    assert "Test rows (prompts it never saw)" in card
    if heads == "label":
        test = split_pair(table, EDGE, CLOUD, by="prompt", seed=0).test
        scores = trained.bundle.scorer().score(test.texts())
        labels = labels_at(test, EDGE, CLOUD, report["labels"]["t_star"])
        assert found["ece"] == pytest.approx(ece(scores, labels))
        assert 0 < labels.mean() < 1  # Pr[H >= 0] is 0 on every row


def test_an_edge_that_is_better_gives_a_flat_bundle(encoder: Path, tmp_path: Path) -> None:
    table = mapped(outcomes(120), lambda edge, cloud: (1.0, edge / 2))
    trained = train(tiny_plan(table, tiny_config(encoder, epochs=1), tmp_path, baselines=True))
    calibration = trained.bundle.manifest.calibration
    assert calibration.flat
    assert "the edge arm is better overall" in calibration.flat_reason
    card = trained.bundle.read(CARD).decode()
    assert "**Flat**" in card
    assert "No APGR: the cloud arm is not clearly better" in card
    assert trained.report["report"]["unseen"]["baselines"] == []


@pytest.fixture
def no_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit would take hours: what is tested here must be known before it."""

    def started(*_: object, **__: object) -> None:
        pytest.fail("the fit was started")

    monkeypatch.setattr(candidates, "fit_seeds", started)


@pytest.mark.usefixtures("no_fit")
@pytest.mark.parametrize("fault", ["taken", "under a file"])
def test_a_place_that_cannot_take_the_bundle(encoder: Path, tmp_path: Path, fault: str) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "notes.txt").write_text("mine")
    (tmp_path / "file").touch()
    out = tmp_path / "bundle" if fault == "taken" else tmp_path / "file" / "bundle"
    with pytest.raises(BundleError, match=r"not a bundle|no folder can be made|cannot write"):
        train(tiny_plan(outcomes(60), tiny_config(encoder), tmp_path, out=out))
    assert (tmp_path / "bundle" / "notes.txt").read_text() == "mine"


@pytest.mark.usefixtures("no_fit")
def test_what_the_data_or_encoder_cannot_give_is_said_before_the_fit(
    encoder: Path, tmp_path: Path
) -> None:
    config = tiny_config(encoder)
    with pytest.raises(DataError, match="has no domain"):
        train(tiny_plan(outcomes(60), config, tmp_path, split_by="domain"))
    with pytest.raises(DataError, match="leaves too few rows"):
        train(tiny_plan(outcomes(6), config, tmp_path))
    with pytest.raises(TrainingError, match="every quality is 1"):
        train(tiny_plan(mapped(outcomes(60), lambda *_: (1.0, 1.0)), config, tmp_path))
    with pytest.raises(TrainingError, match="cannot be loaded"):
        train(tiny_plan(outcomes(60), tiny_config(tmp_path), tmp_path))
    short = tiny_bert(tmp_path / "bert")
    with pytest.raises(ConfigError, match=r"max_tokens is 65; the encoder .* at most 64"):
        train(tiny_plan(outcomes(60), tiny_config(short, max_tokens=65), tmp_path))
    foreign = tiny_deberta(tmp_path / "foreign", vocabulary=20)
    with pytest.raises(TrainingError, match="do not belong together"):
        train(tiny_plan(outcomes(60), tiny_config(foreign), tmp_path))


def test_no_seeds_at_all(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="seeds is empty"):
        fit_seeds(None, None, tiny_config(encoder), seeds=(), folder=tmp_path)


def test_a_new_model_depends_on_the_seed_alone(encoder: Path) -> None:
    one, same, other = (new_model(tiny_config(encoder, seed=seed)) for seed in (1, 1, 2))
    assert (one.head.weight == same.head.weight).all()
    assert not (one.head.weight == other.head.weight).any()


def test_the_bundle_is_whole_without_its_report(run: Run, tmp_path: Path) -> None:
    """It is written before it is judged: a fault in the report does not cost the training."""
    manifest = run.trained.bundle.manifest
    files = {name: run.trained.bundle.read(name) for name in manifest.files}
    again = Bundle.write(tmp_path / "b", manifest, {**files, CARD: b""})
    assert Bundle.load(again.path).manifest.golden == manifest.golden
