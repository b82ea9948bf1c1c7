"""`train` and `evaluate` on the command line, as documented, on a few of RouteLLM's CSVs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_run import run
from tiny_encoder import tiny_deberta

pytestmark = pytest.mark.data
SUBJECTS = ("mmlu_anatomy", "mmlu_formal_logic", "mmlu_us_foreign_policy")
PAIR = ("--edge", "mistralai/Mixtral-8x7B-Instruct-v0.1", "--cloud", "gpt-4-1106-preview")


@pytest.fixture
def mmlu(tmp_path: Path) -> Path:
    root = os.environ.get("HYBRIDROUTE_DATA")
    if not root:
        pytest.skip("HYBRIDROUTE_DATA is unset: no outcome records to train on")
    copy = tmp_path / "mmlu"
    copy.mkdir()
    for subject in SUBJECTS:
        shutil.copy(Path(root) / "routellm" / "mmlu" / f"{subject}.csv", copy)
    return copy


def printed(*arguments: str, folder: Path) -> dict[str, Any]:
    """The one JSON document that the command prints."""
    done = run(*arguments, "--json", cwd=folder, timeout=240)
    assert done.returncode == 0, done.stderr
    held: dict[str, Any] = json.loads(done.stdout)
    return held


def test_a_head_is_trained_and_its_bundle_evaluated(mmlu: Path, tmp_path: Path) -> None:
    asked = ("train", "--outcomes", "mmlu", *PAIR, "--label", "prob", "--fit", "ridge")
    # A small encoder: tracing MiniLM for the export takes longer than all else here together.
    asked += ("--encoder", str(tiny_deberta(tmp_path / "encoder", layers=1)))
    asked += ("--max-tokens", "64", "--no-baselines", "--weights", "fp32")
    trained = printed(*asked, "--out", "bundle", folder=tmp_path)
    assert (tmp_path / "bundle" / "manifest.json").is_file()
    counted = ("rows_without_the_pair", "duplicates", "conflicting_duplicates")
    assert [trained["split"][name] for name in counted] == [0, 0, 0]
    rows = trained["split"]["rows"]

    asked = ("evaluate", "--bundle", "bundle", "--outcomes", "mmlu", *PAIR)
    found = printed(*asked, folder=tmp_path)
    assert found["n"] == sum(rows[name] for name in ("fit", "select", "calibrate", "test"))
    assert found["n_seen_in_training"] == rows["fit"] + rows["select"]
    assert found["n_seen_in_calibration"] == rows["calibrate"]
    assert found["unseen"]["n"] == rows["calibrate"] + rows["test"]
    assert [found[name] for name in counted] == [0, 0, 0]
    assert 0.0 <= found["apgr"] <= 1.0
    assert 0.0 <= found["cpt50"] <= found["cpt80"] <= 100.0
    assert 0.0 < found["edge_quality"] < found["cloud_quality"] < 1.0
