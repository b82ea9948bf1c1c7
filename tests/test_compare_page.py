"""training/compare_page: a page that stands alone, with every row and no name unescaped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pool_case import drawn_scores, queries_of

from benchmarks.peers import table_of
from hybridroute.training.compare_page.files import write_comparison
from hybridroute.training.compare_page.page import figures_of, page_of, reading_of
from hybridroute.training.judging.all_runs import Plan
from hybridroute.training.judging.comparison import Comparison
from hybridroute.training.judging.contenders import contenders_of
from hybridroute.training.judging.contest import contest
from hybridroute.training.judging.records import records_of
from hybridroute.training.judging.shown import show
from hybridroute.training.out_of_scope import Scope
from hybridroute.training.report_page.reading import amount

HOSTILE = "<img src=x onerror=alert(1)>"


def compared(*, costs: bool, unread: int | None = None) -> Comparison:
    """``unread`` of its rows are out of scope; None where nobody knows."""
    table = drawn_scores(200, 3)
    table = replace(table, arms=("small $5", HOSTILE, "_large"))
    records = records_of(table if costs else replace(table, cost_usd=None))
    scope = None if unread is None else Scope(outside=np.arange(200) < unread, limit=0.3)
    plan = Plan(held_out="prompts", seeds=3, resamples=50, scope=scope)
    return contest(records, queries_of(records.table), contenders_of(("knn", "random")), plan).found


@pytest.fixture(scope="module")
def found() -> Comparison:
    return compared(costs=True)


def test_the_folder_holds_page_numbers_and_figures(found: Comparison, tmp_path: Path) -> None:
    page = write_comparison(found, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"compare.html", "compare.json", "cost.png", "scaling-up.png", "choices.png"}
    text = page.read_text(encoding="utf-8")
    for entry in (*found.estimators, *found.baselines):
        assert f">{entry.name}<" in text
    assert HOSTILE not in text
    assert "http" not in text.split("<main>")[1]
    numbers = json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))
    assert numbers["winner"] == found.winner
    assert numbers["estimators"][0]["quality"] == found.estimators[0].quality
    for name in ("cost.png", "choices.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_without_costs_there_is_no_cost_figure() -> None:
    held = compared(costs=False)
    figures = figures_of(held)
    assert set(figures) == {"choices", "scaling"}
    assert "state no costs" in page_of(held, figures)


def test_what_is_served_has_a_column_where_rows_are_out_of_scope(
    found: Comparison, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the page, on the terminal, and in what stands in docs/peers.md; nowhere else."""
    monkeypatch.setenv("COLUMNS", "140")
    strange = compared(costs=True, unread=60)
    assert strange.protocol.n_out_of_scope == 60
    page = page_of(strange, figures_of(strange))
    said = "60 of the 200 judged rows are out of scope: more than 30% of their tokens"
    assert said in page
    knn = strange.row("knn")
    assert f"<td>{amount(knn.served_quality)}</td>" in page
    show(strange)
    text = capsys.readouterr().out
    assert f"{knn.served_quality:.3f}" in text
    assert said in text
    assert f"| {knn.served_quality:.3f} |" in table_of(strange)
    for plain in (found, compared(costs=True, unread=0)):
        show(plain)
        told = (page_of(plain, figures_of(plain)), capsys.readouterr().out, table_of(plain))
        assert not any("as served" in one or "out of scope" in one for one in told)
    assert all("as served" in one for one in (page, text, table_of(strange)))


def test_the_reading_says_when_nothing_can_be_told(found: Comparison) -> None:
    assert "better than the best single arm" in reading_of(found)
    winner = found.row(found.winner)
    assert winner.over_best_single is not None
    unsure = replace(winner, over_best_single=replace(winner.over_best_single, ci95=(-0.1, 0.2)))
    others = [one for one in found.estimators if one.name != found.winner]
    held = replace(found, estimators=(unsure, *others))
    assert "cannot be told from the best single arm" in reading_of(held)


@pytest.mark.parametrize("columns", ["80", "140"])
def test_the_terminal_shows_every_row(
    found: Comparison,
    columns: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    show(found, ("a note",))
    text = capsys.readouterr().out
    for entry in (*found.estimators, *found.baselines):
        assert entry.name in text
    assert "a note" in text
    assert ("V_B" in text) is (columns == "140")
