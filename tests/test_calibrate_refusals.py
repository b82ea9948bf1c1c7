"""``hybridroute calibrate`` on bad input, through the command: what is said, printed and exited."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cli_run import run
from sdk_fakes import cloud_arm, edge_arm, user
from tiny_bundle import write_tiny_bundle

from hybridroute import HybridClient
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.manifest import CalibratedArm

ARMS = (CalibratedArm(name="edge", model="small"), CalibratedArm(name="cloud", model="large"))
LIMIT = ("--max-drop", "0.05")
RELATIVE = (*LIMIT, "--drop-kind", "relative")


@pytest.fixture(autouse=True)
def tiny(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "tiny", arms=ARMS)


def calibrated(
    folder: Path, pairs: list[tuple[object, object]], *arguments: str
) -> subprocess.CompletedProcess[str]:
    """With one prompt for each pair of edge's and cloud's quality."""
    lines = [
        json.dumps(
            {
                "id": str(number),
                "prompt": f"question number {number}",
                "arms": {"small": {"quality": [edge]}, "large": {"quality": [cloud]}},
            }
        )
        for number, (edge, cloud) in enumerate(pairs)
    ]
    (folder / "mine.jsonl").write_text("\n".join(lines), encoding="utf-8")
    asked = ("calibrate", "--bundle", "tiny", "--outcomes", "mine.jsonl", "--out", "new")
    return run(*asked, *arguments, cwd=folder)


def said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.replace("│", " ").split())


def test_a_quality_that_is_no_number(tmp_path: Path) -> None:
    done = calibrated(tmp_path, [(1.0, 1.0)] * 60 + [(float("nan"), 1.0)], *LIMIT, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "line 61" in said(done)
    assert not (tmp_path / "new").exists()


def test_arms_that_are_always_equal_may_all_stay_on_the_edge(tmp_path: Path) -> None:
    done = calibrated(tmp_path, [(1.0, 1.0)] * 200, *LIMIT, "--json")
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert (body["cost_advantage"], body["drop"]) == (1.0, 0.0)
    assert 0.0 < body["drop_bound"] <= 0.05
    assert body["note"] == "the arms never differ on these rows"


@pytest.mark.parametrize("limit", [LIMIT, RELATIVE, (*LIMIT, "--drop-kind", "gap")])
def test_one_row_is_too_few_and_says_how_many_it_takes(
    tmp_path: Path, limit: tuple[str, ...]
) -> None:
    done = calibrated(tmp_path, [(1.0, 1.0)], *limit, "--json")
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert (body["feasible"], body["n"], body["max_drop"]) == (False, 1, 0.05)
    assert 50 < body["needed_n"] < 100
    assert "1 of 1 outcome can be used, too few to conclude anything" in said(done)
    assert "training" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_one_row_without_a_limit(tmp_path: Path) -> None:
    done = calibrated(tmp_path, [(1.0, 1.0)], "--json")
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert (body["feasible"], body["n"], body["needed_n"]) == (False, 1, None)


@pytest.mark.parametrize("right", [0, 9])
def test_a_share_of_a_mean_that_is_nearly_0_is_refused(tmp_path: Path, right: int) -> None:
    pairs: list[tuple[object, object]] = [(0.0, float(at < right)) for at in range(300)]
    done = calibrated(tmp_path, pairs, *RELATIVE, "--json")
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert (body["feasible"], body["n"], body["needed_n"]) == (False, 300, None)
    assert "not clearly off 0" in said(done)
    assert "leave --drop-kind out" in said(done)
    assert "Warning" not in done.stderr
    whole = calibrated(tmp_path, pairs, "--json")
    assert whole.returncode == 0, whole.stderr
    assert {one["kind"] for one in json.loads(whole.stdout)["promises"]} == {"absolute"}


@pytest.mark.parametrize("confidence", ["0", "1", "1.5", "-0.1", "nan"])
def test_a_confidence_out_of_range(tmp_path: Path, confidence: str) -> None:
    pairs: list[tuple[object, object]] = [(1.0, 1.0)] * 60
    done = calibrated(tmp_path, pairs, *LIMIT, f"--confidence={confidence}")
    assert done.returncode == 2
    assert f"{confidence} is given; it must be above 0 and below 1" in said(done)
    alone = calibrated(tmp_path, pairs, f"--confidence={confidence}")
    assert alone.returncode == 2


@pytest.mark.parametrize(
    ("arguments", "option", "way_out"),
    [
        (("--prompts", "p.txt", *LIMIT), "--max-drop", "give --outcomes FILE in place of"),
        (("--prompts", "p.txt", "--edge", "small"), "--edge", "--outcomes FILE"),
        (("--prompts", "p.txt", "--confidence", "0.95"), "--confidence", "--outcomes FILE"),
        (("--prompts", "p.txt", "q.txt"), "--prompts", "one file of prompts"),
        (("--add", "log.db", "--edge", "small"), "--edge", "Leave --edge out"),
        (("--add", "log.db", "--cloud", "large"), "--cloud", "Leave --cloud out"),
        (("--add", "log.db", "--quality-range", "0,1"), "--quality-range", "from 0 to 1"),
        (("--add", "log.db", "--map-scores"), "--map-scores", "Leave --map-scores out"),
        (("--add", "log.db", "more.db"), "--add", "once for each log"),
        (("--outcomes", "o.jsonl", "--confidence", "0.95"), "--confidence", "give --max-drop too"),
        (("--outcomes", "o.jsonl", "--drop-kind", "gap"), "--drop-kind", "give --max-drop too"),
        (("--add", "log.db", "--confidence", "0.9"), "--confidence", "give --max-drop too"),
    ],
)
def test_an_option_that_would_be_ignored_is_wrong_usage(
    tmp_path: Path, arguments: tuple[str, ...], option: str, way_out: str
) -> None:
    done = run("calibrate", "--bundle", "tiny", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert option in said(done)
    assert way_out in said(done)


def test_ratings_of_other_models_are_named(tmp_path: Path, tiny: Bundle) -> None:
    arms = {"edge": edge_arm(model="tiny-3"), "cloud": cloud_arm(model="huge-4")}
    with HybridClient(tiny, threshold=0.5, **arms) as client:
        client.log_to(tmp_path / "log.db")
        for number in range(11):
            done = client.chat.completions.create(messages=user(f"question {number}"))
            client.feedback(done.hybridroute.id, good=True)
    told = run("calibrate", "--bundle", "tiny", "--add", "log.db", *LIMIT, cwd=tmp_path)
    assert told.returncode == 1
    assert "11 of other models" in said(told)
    assert "the bundle is for edge = small and cloud = large" in said(told).lower()
    assert "others answered: edge = tiny-3. Give" in said(told)
    assert "--outcomes FILE --edge NAME --cloud NAME" in said(told)
