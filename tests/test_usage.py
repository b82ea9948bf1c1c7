"""What the flags alone show to be wrong exits 2, and the same in file and environment 1."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_run import run
from tiny_bundle import write_tiny_bundle

from hybridroute.cli import app


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("route x --dial .1 --threshold .3", "--dial and --threshold: they say one thing"),
        ("ask x --threshold .1 --max-drop .3", "--threshold and --max-drop"),
        ("chat --dial .1 --cost-advantage .3", "--dial and --cost-advantage"),
        ("route x --confidence .9", "--confidence: it belongs to a promise; give --max-drop"),
        ("ask x --dial .3 --drop-kind gap", "--drop-kind: it belongs to a promise"),
        ("route x --arm tiny", "--arm: --arm 'tiny' is not NAME=MODEL"),
        ("ask x --arm tiny", "is not NAME=MODEL"),
        ("chat --arm a=b --arm a=c", "arm a is given twice"),
        ("dial .3 --threshold .2", "VALUE and --threshold"),
        ("dial --confidence .9", "--confidence: it belongs to a promise"),
        ("replay --log none.db", "none of --dial, --threshold, --cost-advantage and --max-drop is"),
        ("replay --log none.db --dial .1 --threshold .2", "--dial and --threshold"),
        ("replay --log none.db --dial .1 --confidence .9", "--confidence: it belongs"),
        ("serve --arm tiny", "is not NAME=MODEL"),
        ("serve --dial .1 --threshold .3", "--dial and --threshold"),
        ("serve --p95-ms 9 --cloud-share .1", "--cloud-share and --p95-ms"),
    ],
)
def test_wrong_usage_is_2(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    said: str,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    assert app.run(arguments.split()) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dial = 0.1\nthreshold = 0.3\n", "dial and threshold"),
        ("confidence = 0.9\n", "confidence belongs to a promise"),
        ("arms = 'tiny'\n", "is not NAME=MODEL"),
    ],
)
def test_the_same_in_a_file_is_1(tmp_path: Path, text: str, said: str) -> None:
    bundle = write_tiny_bundle(tmp_path / "tiny").path
    (tmp_path / "hybridroute.toml").write_text(f"[router]\n{text}", encoding="utf-8")
    done = run("route", "x", "--bundle", str(bundle), cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert said in done.stderr


def test_a_promises_word_may_go_with_the_files_promise(tmp_path: Path) -> None:
    """The bundle holds no promise, which is what is refused, and not the usage."""
    bundle = write_tiny_bundle(tmp_path / "tiny").path
    (tmp_path / "hybridroute.toml").write_text("[router]\nmax_drop = 0.02\n", encoding="utf-8")
    done = run("route", "x", "--confidence", ".95", "--bundle", str(bundle), cwd=tmp_path)
    assert done.returncode == 1
    assert "0.95 confidence" in done.stderr
