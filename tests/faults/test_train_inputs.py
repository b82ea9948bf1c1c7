"""What `train` makes of rows that cannot teach or judge, of a long prompt, and of a full disk."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_encoder import (
    CLOUD,
    EDGE,
    mapped,
    outcomes,
    tiny_config,
    tiny_deberta,
    tiny_plan,
    write_outcomes,
)

from hybridroute.edge_runtime.errors import BundleError, DataError, TrainingError
from hybridroute.training import pipeline
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.pair_split import split_pair
from hybridroute.training.pipeline import train
from hybridroute.training.readers import read_outcomes


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_deberta(tmp_path_factory.mktemp("encoder"))


def test_three_prompts_are_too_few(encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"split of 3 rows .* give more rows"):
        train(tiny_plan(outcomes(3), tiny_config(encoder), tmp_path))


def test_a_model_that_nobody_asked_is_named_with_those_there_are(
    encoder: Path, tmp_path: Path
) -> None:
    plan = tiny_plan(outcomes(20), tiny_config(encoder), tmp_path, cloud="huge")
    with pytest.raises(DataError, match=rf"huge.*{CLOUD}"):
        train(plan)


def test_two_prompts_of_one_id_name_both_lines_and_the_way_out(tmp_path: Path) -> None:
    path = write_outcomes(tmp_path / "rows.jsonl", outcomes(3))
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[2] = json.dumps(json.loads(lines[2]) | {"id": json.loads(lines[0])["id"]})
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"rows\.jsonl line 3: id: .* line 1 .*id of its own"):
        read_outcomes([path])


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity"])
def test_a_quality_that_is_not_finite_names_line_and_field(tmp_path: Path, value: str) -> None:
    path = write_outcomes(tmp_path / "rows.jsonl", outcomes(3))
    lines = path.read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[1])
    row["arms"][EDGE]["quality"] = ["?"]
    lines[1] = json.dumps(row).replace('"?"', value)
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"rows\.jsonl.*line 2"):
        read_outcomes([path])


def one_class_where_it_selects(table: OutcomeTable) -> OutcomeTable:
    """The edge as good as the cloud on every selection row, the others as they were."""
    select = split_pair(table, EDGE, CLOUD, by="prompt", seed=0).select
    taken = set(select.prompt_hashes())
    even = mapped(table, lambda *_: (1.0, 1.0))
    rows = [
        one if key in taken else other
        for one, other, key in zip(even.rows, table.rows, table.prompt_hashes(), strict=True)
    ]
    return replace(table, rows=tuple(rows))


def test_one_class_in_validation_is_told_and_the_last_weights_kept(
    encoder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    table = one_class_where_it_selects(outcomes(160))
    plan = tiny_plan(table, tiny_config(encoder, epochs=2), tmp_path)
    with caplog.at_level(logging.WARNING):
        trained = train(plan)
    assert "selection rows have the same gap q(edge) - q(cloud), 0" in caplog.text
    assert "another --split-seed" in caplog.text
    (seed,) = trained.report["seeds"]
    steps = 2 * -(-trained.report["split"]["rows"]["fit"] // plan.config.batch_size)
    assert seed["best_step"] == steps
    assert trained.report["report"]["unseen"]["apgr"] > 0.6  # it learnt all the same


def test_a_prompt_of_100_000_characters_is_cut_from_the_left(encoder: Path, tmp_path: Path) -> None:
    table = outcomes(120)
    long = replace(table.rows[0], prompt=f"{'prove the sea ' * 7200}greet")
    assert len(long.prompt) > 100_000
    rows = replace(table, rows=(long, *table.rows[1:]))
    config = tiny_config(encoder, fit="ridge")
    trained = train(tiny_plan(rows, config, tmp_path))
    assert trained.report["split"]["rows"]["fit"] > 50
    scorer = trained.bundle.scorer()
    # 32 tokens are read, two of them special: the rest, at the beginning, changes nothing.
    end = " ".join(long.prompt.split()[-40:])
    assert scorer.assess(long.prompt).score == scorer.assess(end).score


@contextmanager
def full_from(stage: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets this process write small files only, from a stage of the pipeline on: a full disk.

    The limit ends with the block: pytest's own output may go to a file.
    """
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    held = getattr(pipeline, stage)

    def on_a_small_disk(*arguments: Any, **options: Any) -> Any:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
        return held(*arguments, **options)

    monkeypatch.setattr(pipeline, stage, on_a_small_disk)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("stage", "said"),
    [
        ("attempts", r"cannot write .*work.*Free space.*from the last checkpoint"),
        ("candidate_bundle", r"cannot write the bundle to .*File too large"),
    ],
)
def test_a_full_disk_names_the_place_and_leaves_nothing(
    encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, said: str
) -> None:
    fit = "deberta" if stage == "attempts" else "ridge"
    plan = tiny_plan(outcomes(120), tiny_config(encoder, epochs=1, fit=fit), tmp_path)
    with (
        full_from(stage, monkeypatch),
        pytest.raises((BundleError, TrainingError), match=said),
    ):
        train(plan)
    assert not (tmp_path / "bundle").exists()
    assert not list(tmp_path.rglob("*.writing"))
