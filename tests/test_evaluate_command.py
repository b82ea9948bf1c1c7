"""``hybridroute evaluate`` from the outside."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_run import run
from report_cases import CLOUD, EDGE, fractional_table
from tiny_bundle import write_tiny_bundle

from hybridroute.training.readers import write_canonical


@pytest.fixture
def common(tmp_path: Path) -> list[str]:
    """The arguments that every run has."""
    write_canonical(fractional_table(20), tmp_path / "rows.jsonl")
    write_tiny_bundle(tmp_path / "bundle")
    arguments = ["evaluate", "--outcomes", "rows.jsonl", "--edge", EDGE, "--cloud", CLOUD]
    return [*arguments, "--bundle", "bundle"]


def test_one_json_document_with_the_reports_path(common: list[str], tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path / "other", seed=2)
    done = run(*common, "--report", "out", "--against", "det=other", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["n"] == 20
    assert Path(found["report"]) == Path("out/report.html")
    assert (tmp_path / "out" / "report.html").is_file()
    numbers = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert [held["name"] for held in numbers["bundles"]] == ["this router", "det"]
    assert numbers["judged"]["area_over_random"] == found["area_over_random"]


def test_without_a_report_nothing_is_written(common: list[str], tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    done = run(*common, cwd=tmp_path, without=("matplotlib", "jinja2"))
    assert done.returncode == 0, done.stderr
    assert "cloud_quality" in done.stdout
    assert "Left out" not in done.stdout
    assert set(tmp_path.iterdir()) == before


def test_rows_that_are_left_out_are_told(common: list[str], tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    lone = rows[0] | {"id": "lone", "prompt": "alone", "arms": {EDGE: rows[0]["arms"][EDGE]}}
    other = rows[1] | {"arms": {name: {"quality": 0.25} for name in (EDGE, CLOUD)}}
    held = [*rows, lone, rows[0], other]
    path.write_text("".join(json.dumps(row) + "\n" for row in held), encoding="utf-8")
    found = json.loads(run(*common, "--json", cwd=tmp_path).stdout)
    assert (found["n"], found["rows_without_the_pair"]) == (20, 1)
    assert (found["duplicates"], found["conflicting_duplicates"]) == (2, 1)
    said = " ".join(run(*common, cwd=tmp_path).stdout.split())
    assert "Left out: 1 row without both arms; 2 rows whose prompt an earlier row has" in said
    assert "1 of them with other qualities" in said


def test_rows_out_of_scope_are_counted_and_told(common: list[str], tmp_path: Path) -> None:
    assert "out of scope" not in run(*common, cwd=tmp_path).stdout
    path = tmp_path / "rows.jsonl"
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    strange = first | {"id": "strange", "prompt": "这是什么东西"}
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(strange) + "\n")
    found = json.loads(run(*common, "--json", cwd=tmp_path).stdout)
    assert (found["n"], found["n_out_of_scope"]) == (21, 1)
    said = " ".join(run(*common, cwd=tmp_path).stdout.split())
    assert "1 of these rows are out of scope" in said


@pytest.mark.parametrize(
    "more", [("--against", "det=bundle"), ("--fit-outcomes", "rows.jsonl"), ("--dial", "0.5")]
)
def test_what_only_a_report_shows_needs_one(
    common: list[str], tmp_path: Path, more: tuple[str, str]
) -> None:
    done = run(*common, *more, cwd=tmp_path)
    assert done.returncode == 2
    assert "--report" in done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--against", "bundle"), "NAME=FOLDER"),
        (("--against", "=bundle"), "NAME=FOLDER"),
        (("--alias", "one"), "NAME=OTHER"),
        (("--dial", "7"), "it must be at least 0 and at most 1"),
    ],
)
def test_wrong_usage_is_exit_2(
    common: list[str], tmp_path: Path, more: tuple[str, str], said: str
) -> None:
    done = run(*common, "--report", "out", *more, cwd=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--against", "random=bundle"), "that name is taken"),
        (("--against", "det=nowhere"), "no bundle at nowhere"),
    ],
)
def test_what_is_wrong_is_one_line(
    common: list[str], tmp_path: Path, more: tuple[str, str], said: str
) -> None:
    done = run(*common, "--report", "out", *more, cwd=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "report.html").exists()


def test_without_matplotlib_the_way_out_is_said(common: list[str], tmp_path: Path) -> None:
    done = run(*common, "--report", "out", cwd=tmp_path, without=("matplotlib", "jinja2"))
    assert done.returncode == 1
    assert "matplotlib and jinja2: pip install 'hybridroute[train]'" in done.stderr
    assert not (tmp_path / "out").exists()
