"""The packaged default bundle on records it never saw: what its card rests on."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from cli_run import run

from hybridroute.edge_runtime.bundle import Bundle, default_bundle_path
from hybridroute.training.readers import read_outcomes, write_canonical

EDGE, CLOUD = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
ROWS = 400
APGR = 0.712
"""Of the ``ROWS`` test rows of smallest prompt hash. The card has .712 of all 1,207."""
TOLERANCE = 0.02
"""int8 scores differ by up to .02 between kinds of CPUs, which swaps rows of nearly equal score."""


@pytest.fixture
def records() -> Path:
    root = os.environ.get("HYBRIDROUTE_DATA")
    if not root:
        pytest.skip("HYBRIDROUTE_DATA is unset: no outcome records to evaluate on")
    return Path(root) / "routellm" / "mmlu"


@pytest.mark.data
def test_the_default_bundle_keeps_its_word_on_subjects_it_never_saw(
    records: Path, tmp_path: Path
) -> None:
    manifest = Bundle.load(default_bundle_path()).manifest
    subjects = manifest.training["split"]["domains"]["test"]
    table = read_outcomes([records / f"{subject}.csv" for subject in subjects])
    assert len(table) == manifest.training["split"]["rows"]["test"]
    assert not set(table.prompt_hashes()) & set(manifest.training_hashes)
    order = sorted(range(len(table)), key=table.prompt_hashes().__getitem__)
    write_canonical(table.select(order[:ROWS]), tmp_path / "sample.jsonl")
    pair = ("--edge", EDGE, "--cloud", CLOUD)
    done = run("evaluate", "--outcomes", "sample.jsonl", *pair, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["n"], found["n_seen_in_training"], found["duplicates"]) == (ROWS, 0, 0)
    assert found["area_over_random"] > 0.0
    assert found["apgr"] == pytest.approx(APGR, abs=TOLERANCE)
    published = manifest.training["report"]["unseen"]["apgr"]
    assert found["apgr_interval"][0] < published < found["apgr_interval"][1]
