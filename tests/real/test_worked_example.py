"""The worked example in small: its commands, in their order, with two answers to few prompts."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from cli_run import run
from tiny_encoder import tiny_deberta

from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.edge_runtime.model_registry import resolve

pytestmark = pytest.mark.real

EXAMPLE = Path(__file__).parents[2] / "examples" / "train_your_pair"
PROMPTS = 40
QUERIES = ("Name a colour.", "Who painted the Mona Lisa?", "What is 17 plus 25?")
SMALLER = {
    "--n": "2",
    "--max-tokens": {"sample": "8", "train": "32"},
    "--seeds": "1",
    "--epochs": "1",
}


@pytest.fixture(autouse=True)
def models() -> None:
    for name in ("smollm2-135m", "gemma3-270m"):
        try:
            resolve(name)
        except ModelMissing as exc:
            pytest.skip(str(exc))


def page_commands() -> list[list[str]]:
    """The page's own commands, continued lines joined."""
    page = (EXAMPLE / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [shlex.split(line) for line in page.splitlines() if line.startswith("hybridroute ")]
    return [words[1:] for words in lines if words[1] != "models"]


def smaller(words: list[str], encoder: Path) -> list[str]:
    """The command with a smaller number after each option that takes time."""
    held = list(words)
    for place, word in enumerate(words[:-1]):
        found = SMALLER.get(word)
        value = found.get(words[0]) if isinstance(found, dict) else found
        if value is not None:
            held[place + 1] = value
    more = {
        "train": ["--encoder", str(encoder), "--weights", "fp32"],
        "demo": ["--queries", "queries.txt", "--max-tokens", "8", "--json"],
    }
    return [*held, *more.get(words[0], [])]


def test_the_pages_commands_run_in_their_order(tmp_path: Path) -> None:
    rows = (EXAMPLE / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    (tmp_path / "prompts.jsonl").write_text(
        "\n".join(rows[:: len(rows) // PROMPTS][:PROMPTS]), encoding="utf-8"
    )
    (tmp_path / "quality.py").write_text(
        (EXAMPLE / "quality.py").read_text(encoding="utf-8"), encoding="utf-8"
    )
    (tmp_path / "queries.txt").write_text("\n".join(QUERIES), encoding="utf-8")
    encoder = tiny_deberta(tmp_path / "encoder", layers=1)
    commands = page_commands()
    assert [words[0] for words in commands] == ["sample", "label", "train", "evaluate", "demo"]
    for words in commands:
        done = run(*smaller(words, encoder), cwd=tmp_path, timeout=300)
        assert done.returncode == 0, (words, done.stderr)
    table = [json.loads(line) for line in (tmp_path / "outcomes.jsonl").read_text().splitlines()]
    assert len(table) == PROMPTS
    assert table[0]["metric"]["name"] == "bertscore"
    assert (tmp_path / "page" / "report.html").is_file()
    *answers, summary = (json.loads(line) for line in done.stdout.splitlines())
    assert [one["query"] for one in answers] == list(QUERIES)
    for one in answers:
        assert one["calibrated"] is True
        assert one["reason"] in ("score_at_or_above_threshold", "score_below_threshold")
        assert one["arm"] == ("edge" if one["score"] >= one["threshold"] else "cloud")
        assert one["model"] in ("smollm2-135m", "gemma3-270m")
    assert summary["calibrated"] is True
