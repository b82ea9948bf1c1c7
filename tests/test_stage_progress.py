"""The stage is shown to a person at a terminal, whatever the stage does, and to nobody else."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

import pytest
from tiny_bundle import write_tiny_bundle
from tiny_encoder import CLOUD, EDGE, outcomes, write_outcomes

from hybridroute.training.fit_progress import FitProgress
from hybridroute.training.stage_progress import StageProgress
from hybridroute.training.stages import untold


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """In the test itself: pytest takes stderr back after its fixtures."""
    held = Screen()
    monkeypatch.setattr("sys.stderr", held)
    monkeypatch.setenv("TERM", "xterm")
    return held


def test_nothing_is_printed_into_a_pipe(capfd: pytest.CaptureFixture[str]) -> None:
    with StageProgress() as shown:
        shown.stage("exporting")
    assert capfd.readouterr() == ("", "")
    assert untold("exporting") is None


def test_each_stage_takes_the_place_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with StageProgress() as shown:
        shown.stage("exporting")
        exporting = screen.getvalue()
        shown.stage("judging")
    assert "exporting" in exporting
    assert "0:00:00" in exporting
    later = screen.getvalue()[len(exporting) :]
    assert "judging" in later
    assert "exporting" not in later


def test_it_goes_on_while_the_export_sends_stderr_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = terminal(monkeypatch)
    with StageProgress() as shown, contextlib.redirect_stderr(io.StringIO()):
        shown.stage("exporting")
        assert "exporting" in screen.getvalue()


def test_bars_and_stage_are_shown_together(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = terminal(monkeypatch)
    with FitProgress() as shown:
        shown.step(1, 3, 9, 0.25)
        shown.stage("fine-tuning on 80 rows")
        seen = screen.getvalue()
    assert "fine-tuning on 80 rows" in seen
    assert "3/9  loss 0.250" in seen


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
def test_evaluate_says_what_it_is_at(tmp_path: Path) -> None:
    from terminal import Terminal  # it needs Unix

    rows = write_outcomes(tmp_path / "rows.jsonl", outcomes(80))
    write_tiny_bundle(tmp_path / "b", weights={"greet": 9.0, "prove": -9.0})
    asked = ("evaluate", "--bundle", "b", "--outcomes", str(rows), "--edge", EDGE, "--cloud", CLOUD)
    with Terminal(*asked, cwd=tmp_path) as held:
        held.until("scoring 80 rows")
        held.until("judging on 80 rows")
        held.until("apgr")
        assert held.end() == 0
