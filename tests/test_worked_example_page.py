"""The worked example's page and the page of its output have the same commands, which fit."""

from __future__ import annotations

import shlex
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "examples" / "train_your_pair" / "README.md"
OUTPUT = ROOT / "docs" / "worked_example.md"


def command(page: Path, name: str) -> list[str]:
    """The page's first command of that name, continued lines joined."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = (line for line in text.splitlines() if line.startswith(f"hybridroute {name} "))
    return shlex.split(next(lines))


def values(words: list[str], option: str) -> list[str]:
    return [word for before, word in pairwise(words) if before == option]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("sample", ("--n", "--max-tokens", "--arm")),
        ("label", ("--responses", "--quality", "--edge", "--cloud")),
        ("train", ("--label", "--heads", "--seeds", "--epochs", "--max-tokens")),
    ],
)
def test_both_pages_run_the_same(name: str, options: tuple[str, ...]) -> None:
    one, other = command(PAGE, name), command(OUTPUT, name)
    for option in options:
        assert values(one, option) == values(other, option), option


def test_the_report_compares_candidates_that_are_kept() -> None:
    """One of each label, alike in all else, in the folders that `train` names so."""
    trained, evaluated = command(PAGE, "train"), command(PAGE, "evaluate")
    assert "--select" in trained
    assert "label" in values(trained, "--heads")
    (kept,) = values(trained, "--keep-candidates")
    seed = values(trained, "--seeds")[0].split(",")[0]
    assert values(evaluated, "--against") == [
        f"{label}={kept}/deberta-{label}-label-head-seed-{seed}"
        for label in values(trained, "--label")
    ]
