"""Several fits, one table on the selection rows, and the best of them as the bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_encoder import CLOUD, EDGE, outcomes, tiny_bert, tiny_config, tiny_other, tiny_plan

from hybridroute.edge_runtime.bundle import CARD, MODEL
from hybridroute.edge_runtime.errors import BundleError, TrainingError
from hybridroute.router_source import open_bundle
from hybridroute.training import candidates, selection
from hybridroute.training.candidates import Line, attempts
from hybridroute.training.curve import curve_of
from hybridroute.training.metrics import area_over_random
from hybridroute.training.pair_split import split_pair, with_selection_fitted
from hybridroute.training.parity import APGR_ROWS
from hybridroute.training.pipeline import Trained, train
from hybridroute.training.training_plan import TrainingPlan

KINDS = ("ridge", "logistic", "knn", "deberta")


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def run(encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingPlan, Trained]:
    config = tiny_config(encoder, epochs=1, neighbours=20)
    folder = tmp_path_factory.mktemp("run")
    plan = tiny_plan(outcomes(200), config, folder, fits=KINDS, select=True, weights="int8")
    return plan, train(plan)


def test_all_stand_in_one_table_and_the_best_ships(run: tuple[TrainingPlan, Trained]) -> None:
    _, trained = run
    rows = trained.report["selection"]["candidates"]
    assert [row["fit"] for row in rows] == list(KINDS)
    stand = [row for row in rows if row["failed"] is None]
    assert {"ridge", "logistic"} <= {row["fit"] for row in stand}
    (chosen,) = [row for row in rows if row["chosen"]]
    assert chosen["select"] == max(row["select"] for row in stand)
    assert trained.report["config"]["fit"] == chosen["fit"]
    assert stand[0]["interval"] is None
    for row in stand[1:]:
        assert row["minus_first"] == pytest.approx(row["select"] - stand[0]["select"], abs=1e-9)
        assert row["interval"][0] <= row["minus_first"] <= row["interval"][1]
    assert trained.bundle.manifest.training["selection"] == trained.report["selection"]
    card = trained.bundle.read(CARD).decode()
    assert f"**{chosen['name']}**" in card


def test_the_value_is_that_of_the_shipped_graph(run: tuple[TrainingPlan, Trained]) -> None:
    plan, trained = run
    split = split_pair(plan.outcomes, EDGE, CLOUD, by="prompt", seed=0)
    held = split.select
    scores = open_bundle(plan.out).scorer().score(held.texts())
    curve = curve_of(scores, held.mean_quality(EDGE), held.mean_quality(CLOUD))
    (chosen,) = [row for row in trained.report["selection"]["candidates"] if row["chosen"]]
    assert chosen["select"] == pytest.approx(area_over_random(curve))
    assert chosen["select"] > 0.05


@pytest.mark.parametrize("kind", ["ridge", "logistic"])
def test_one_frozen_head_alone(encoder: Path, tmp_path: Path, kind: str) -> None:
    config = tiny_config(encoder, fit=kind, neighbours=20)
    trained = train(tiny_plan(outcomes(200), config, tmp_path))
    assert trained.checkpoint is None
    assert "selection" not in trained.report
    bundle = open_bundle(tmp_path / "bundle")
    assert bundle.manifest.score_kind == ("label" if kind == "logistic" else "gap")
    scores = bundle.scorer().score(outcomes(60, seed=1).texts())
    assert len(np.unique(scores)) > 3
    assert trained.report["report"]["unseen"]["apgr"] > 0.6
    assert f"a `{kind}` head" in bundle.read(CARD).decode()


def test_another_encoder_leaves_no_checkpoint(tmp_path: Path) -> None:
    place = tiny_other(tmp_path / "encoder", "distilbert")
    trained = train(tiny_plan(outcomes(160), tiny_config(place, epochs=1), tmp_path))
    assert trained.checkpoint is None
    assert open_bundle(tmp_path / "bundle").model_names == (EDGE, CLOUD)


def test_what_fails_at_any_stage_is_named_and_the_others_go_on(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = selection.exported

    def refuse_ridge(line, candidate):
        if candidate.config.fit == "ridge":
            raise TrainingError("no graph | of this")
        return real(line, candidate)

    def out_of_memory(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: not enough memory\nfirst frame")

    monkeypatch.setattr(selection, "exported", refuse_ridge)
    monkeypatch.setattr(candidates, "fit_seeds", out_of_memory)
    config = tiny_config(encoder)
    kinds = ("ridge", "deberta", "logistic")
    plan = tiny_plan(outcomes(160), config, tmp_path, fits=kinds, select=True)
    trained = train(plan)
    rows = trained.report["selection"]["candidates"]
    memory = "fit: RuntimeError: DefaultCPUAllocator: not enough memory"
    assert [(row["chosen"], row["failed"]) for row in rows] == [
        (False, "export: no graph | of this"),
        (False, memory),
        (True, None),
    ]
    assert "deberta, prob, head per arm, seed 1 failed at its fit: RuntimeError" in caplog.text
    card = trained.bundle.read(CARD).decode()
    assert "| ridge | failed | - | export: no graph / of this |" in card
    only = tiny_plan(outcomes(160), config, tmp_path / "b", fits=kinds[:2], select=True)
    said = rf"every candidate failed: ridge: export: no graph . of this; deberta, .*: {memory}"
    with pytest.raises(TrainingError, match=said):
        train(only)


def test_kinds_labels_heads_and_seeds_are_each_with_each(encoder: Path, tmp_path: Path) -> None:
    plan = tiny_plan(
        outcomes(60),
        tiny_config(encoder),
        tmp_path,
        fits=("deberta", "logistic", "ridge"),
        labels=("det", "trans"),
        heads=("label", "arms"),
        seeds=(1, 2),
        select=True,
    )
    line = Line(plan=plan, split=None, tokenizer=None, scale=None)
    assert [held.name for held in attempts(line, on_step=None)] == [
        *(
            f"deberta, {label}, {heads}, seed {seed}"
            for label in ("det", "trans")
            for heads in ("label head", "head per arm")
            for seed in (1, 2)
        ),
        "logistic, det",
        "logistic, trans",
        "ridge",
    ]


def test_every_candidate_is_kept_where_it_is_asked_for(encoder: Path, tmp_path: Path) -> None:
    config = tiny_config(encoder, neighbours=20)
    asked = {"fits": ("logistic", "ridge"), "labels": ("det", "prob"), "select": True}
    plan = tiny_plan(
        outcomes(160, responses=3), config, tmp_path, keep_candidates=tmp_path / "all", **asked
    )
    trained = train(plan)
    rows = trained.report["selection"]["candidates"]
    names = ["logistic-det", "logistic-prob", "ridge"]
    assert [Path(row["bundle"]) for row in rows] == [tmp_path / "all" / name for name in names]
    for row in rows:
        kept = open_bundle(Path(row["bundle"]))
        assert kept.manifest.name == f"Tiny ({row['name']})"
        assert kept.manifest.training_hashes == trained.bundle.manifest.training_hashes
        assert "report" not in kept.manifest.training
        assert "Test rows" not in kept.read(CARD).decode()
        assert (kept.read(MODEL) == trained.bundle.read(MODEL)) == row["chosen"]


def test_a_candidate_that_could_not_be_kept_is_refused_before_the_fit(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "all" / "ridge").mkdir(parents=True)
    (tmp_path / "all" / "ridge" / "thesis.txt").write_text("mine", encoding="utf-8")
    monkeypatch.setattr(candidates, "FrozenFit", None)
    asked = {"fits": ("logistic", "ridge"), "keep_candidates": tmp_path / "all"}
    plan = tiny_plan(outcomes(160), tiny_config(encoder), tmp_path, select=True, **asked)
    with pytest.raises(BundleError, match="ridge exists and is not a bundle"):
        train(plan)


def test_parity_is_checked_on_each_row_once() -> None:
    """Selection rows first, then fit rows; after ``refit`` the former are among the latter."""
    split = split_pair(outcomes(300), EDGE, CLOUD, by="prompt", seed=0)
    texts = split.select.texts() + split.fit.texts()
    for held in (split, with_selection_fitted(split)):
        assert candidates.parity_rows(held).texts() == texts
    many = split_pair(outcomes(2000), EDGE, CLOUD, by="prompt", seed=0)
    assert len(candidates.parity_rows(many)) == APGR_ROWS
