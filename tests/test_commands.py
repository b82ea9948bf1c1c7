"""``hybridroute train`` and ``evaluate`` as a user types them, in processes of their own."""

from __future__ import annotations

import inspect
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_run import command, environment, run
from tiny_bundle import write_tiny_bundle
from tiny_encoder import CLOUD, EDGE, mapped, outcomes, tiny_deberta, write_outcomes

from hybridroute.training.commands import train
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.judging.compare_command import compare

PAIR = ("--edge", EDGE, "--cloud", CLOUD)
NO_TORCH = ("torch", "transformers", "safetensors")


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return write_outcomes(tmp_path / "rows.jsonl", outcomes(80))


@pytest.mark.parametrize("made", [train, compare])
def test_a_command_trains_as_the_same_call_in_python_does(made: Callable[..., None]) -> None:
    taken = inspect.signature(made).parameters
    shared = FitConfig().to_dict().keys() & taken.keys() - {"precision", "fit", "heads", "label"}
    assert {"encoder", "max_tokens", "epochs"} <= shared
    assert {name: taken[name].default for name in shared} == {
        name: FitConfig().to_dict()[name] for name in shared
    }


def test_evaluate_needs_no_torch(tmp_path: Path, rows: Path) -> None:
    write_tiny_bundle(tmp_path / "b", weights={"greet": 9.0, "prove": -9.0})
    asked = ("evaluate", "--bundle", "b", "--outcomes", str(rows), *PAIR, "--json")
    done = run(*asked, cwd=tmp_path, without=NO_TORCH)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["n"] == 80
    assert 0.5 < found["apgr"] <= 1
    names = ("cpt50", "cpt80", "edge_quality", "cloud_quality", "n_seen_in_training")
    assert all(found[name] is not None for name in names)
    assert done.stderr == ""


def test_evaluate_for_a_person(tmp_path: Path, rows: Path) -> None:
    write_tiny_bundle(tmp_path / "b", weights={"greet": 9.0, "prove": -9.0})
    done = run(
        "evaluate", "--bundle", "b", "--outcomes", str(rows), *PAIR, cwd=tmp_path, without=NO_TORCH
    )
    assert done.returncode == 0, done.stderr
    assert "apgr" in done.stdout


def test_evaluate_refuses_a_bundle_of_another_text_rule(tmp_path: Path, rows: Path) -> None:
    bundle = write_tiny_bundle(tmp_path / "b")
    held = json.loads((bundle.path / "manifest.json").read_text())
    (bundle.path / "manifest.json").write_text(json.dumps({**held, "text_rule": "all-turns-v9"}))
    done = run(
        "evaluate", "--bundle", "b", "--outcomes", str(rows), *PAIR, cwd=tmp_path, without=NO_TORCH
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "text rule 'all-turns-v9'" in done.stderr


def test_train_without_torch_says_what_to_install(tmp_path: Path, rows: Path) -> None:
    hide = "import importlib.util as u; real = u.find_spec; "
    block = "u.find_spec = lambda n, *a: None if n == 'torch' else real(n, *a); "
    line = command("train", "--outcomes", str(rows), *PAIR, "--out", "b")
    line[2] = hide + block + line[2]
    done = subprocess.run(
        line, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "training needs torch: pip install 'hybridroute[train]'" in done.stderr


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--seeds", ""), 2, "--seeds"),
        (("--seeds", "1,1"), 2, "give one or more different ones"),
        (("--seeds", "1,-2"), 2, "seed -2 is negative"),
        (("--epochs", "0"), 2, "--epochs"),
        (("--batch-size", "0"), 2, "--batch-size"),
        (("--accumulate", "0"), 2, "--accumulate"),
        (("--patience", "-1"), 2, "--patience"),
        (("--max-tokens", "99999999"), 2, "--max-tokens"),
        (("--learning-rate", "nan"), 2, "--learning-rate"),
        (("--learning-rate", "inf"), 2, "--learning-rate"),
        (("--split-seed", "-1"), 2, "--split-seed"),
        (("--fit", "ridge", "--fit", "knn"), 2, "are several candidates"),
        (("--refit", "--select"), 2, "refit leaves no rows"),
        (("--keep-candidates", "c"), 2, "there is one fit alone"),
        (("--cost", f"{EDGE}=1"), 2, "--cost"),
        (("--arms", f"{EDGE},{CLOUD}"), 2, "give --estimator too"),
        (("--model", f"{EDGE}=x"), 2, "--model"),
        (("--alias", "x"), 2, "NAME=OTHER"),
        (("--split-by", "domain"), 1, "has no domain"),
        (("--out", "."), 1, "is the current folder"),
    ],
)
def test_train_refuses_in_one_line(
    tmp_path: Path, rows: Path, more: tuple[str, ...], code: int, said: str
) -> None:
    asked = ("train", "--outcomes", str(rows), *PAIR, "--out", "b", *more)
    done = run(*asked, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "b").exists()


def test_train_selects_among_fits_and_labels(tmp_path: Path) -> None:
    """The table names each candidate on one line, with its paired interval."""
    graded = mapped(outcomes(120), lambda edge, cloud: (edge, 0.5 + 0.6 * cloud))
    rows = write_outcomes(tmp_path / "rows.jsonl", graded)
    encoder = tiny_deberta(tmp_path / "encoder", layers=1)
    asked = ("train", "--outcomes", str(rows), *PAIR, "--out", "b", "--encoder", str(encoder))
    kinds = ("--fit", "deberta", "--fit", "ridge", "--label", "prob", "--label", "trans")
    small = ("--epochs", "1", "--max-tokens", "32", "--weights", "fp32", "--no-baselines")
    done = run(*asked, *kinds, "--heads", "label", "--select", *small, cwd=tmp_path, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    facts = json.loads((tmp_path / "b" / "manifest.json").read_text())["training"]
    found = facts["selection"]["candidates"]
    names = [f"deberta, {label}, label head, seed 1" for label in ("prob", "trans")] + ["ridge"]
    assert [row["name"] for row in found] == names
    assert [row["failed"] for row in found] == [None] * 3
    assert found[1]["interval"][0] <= found[1]["minus_first"] <= found[1]["interval"][1]
    shown = done.stdout.splitlines()
    for row in found:
        (line,) = [line for line in shown if row["name"] in line and f"{row['select']:.4f}" in line]
        if row["interval"] is not None:
            assert f"{row['minus_first']:+.4f} [{row['interval'][0]:+.4f}, " in line


def test_ctrl_c_ends_with_130_and_the_run_can_go_on(tmp_path: Path, rows: Path) -> None:
    encoder = tiny_deberta(tmp_path / "encoder", layers=1)
    asked = ("train", "--outcomes", str(rows), *PAIR, "--out", "b", "--encoder", str(encoder))
    running = subprocess.Popen(
        command(*asked, "--epochs", "5000", "--max-tokens", "32", "--json"),
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    checkpoint = tmp_path / "b-work" / "seed-1" / "last.safetensors"
    until = time.monotonic() + 120
    while not checkpoint.exists() and running.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, error = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, ""), error
    assert "Traceback" not in error
    assert checkpoint.exists()
    assert not (tmp_path / "b").exists()


def test_a_folder_of_something_else_is_refused_at_once(tmp_path: Path, rows: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "notes.txt").touch()
    done = run("train", "--outcomes", str(rows), *PAIR, "--out", "b", cwd=tmp_path)
    assert done.returncode == 1
    assert "exists and is not a bundle" in done.stderr


def test_options_of_two_arms_are_refused_with_an_estimator(tmp_path: Path, rows: Path) -> None:
    asked = ("train", "--estimator", "ridge", "--outcomes", str(rows), "--out", "b")
    options = (
        *(("--select",), ("--label", "det"), ("--also-fit", str(rows)), ("--edge", EDGE)),
        *(("--cloud", CLOUD), ("--seeds", "1,2"), ("--weights", "fp32"), ("--no-baselines",)),
    )
    for option in options:
        done = run(*asked, *option, cwd=tmp_path)
        assert done.returncode == 2
        assert f"{option[0]}: it is for two arms" in done.stderr.replace("'", "").replace("\n", "")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--estimator", "foo"), "there is no estimator 'foo'; choose from"),
        (("--estimator", "ridge", "--cost", f"{EDGE}=-1"), "it must be at least 0"),
    ],
)
def test_a_pool_is_refused_by_its_flags(
    tmp_path: Path, rows: Path, more: tuple[str, ...], said: str
) -> None:
    done = run("train", *more, "--outcomes", str(rows), "--out", "b", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.replace("│", " ").split())
