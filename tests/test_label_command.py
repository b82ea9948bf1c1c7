"""``hybridroute label`` on the command line."""

from __future__ import annotations

import json

from cli_run import run
from test_labelling import FULL, lines, sampled

from hybridroute.training.readers import read_canonical

PAIR = ("--edge", "edge", "--cloud", "cloud")


def test_responses_become_an_outcome_table_with_figures(tmp_path) -> None:
    lines(tmp_path, *FULL, sampled("q3", "edge", 0, "Paris"))
    asked = ("label", "--responses", "responses.jsonl", "--quality", "token-f1")
    more = ("--quality", "exact-match", "--out", "outcomes.jsonl", *PAIR)
    done = run(*asked, *more, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [one["name"] for one in found["qualities"]] == ["token-f1", "exact-match"]
    assert found["qualities"][0]["source"].startswith("SQuAD")
    assert (found["prompts"], found["pair"]["n"]) == (3, 2)
    assert found["pair"]["trans"]["curve"]
    assert "arm 'cloud' has no response for 1 of 3 prompts" in done.stderr
    assert len(read_canonical(tmp_path / "outcomes.jsonl")) == 3
    shown = run(*asked, *more, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    for part in ("the search for t*", "<- t*", "which arm wins where", "Gini difference"):
        assert part in shown.stdout


def test_failures_are_one_line_and_wrong_usage_is_two(tmp_path) -> None:
    lines(tmp_path, *FULL)
    asked = ("label", "--responses", "responses.jsonl", "--out", "o.jsonl")
    unknown = run(*asked, "--quality", "bleu", cwd=tmp_path)
    assert unknown.returncode == 2
    assert "no quality is called 'bleu'; choose from" in unknown.stderr
    numeric = ("--quality", "numeric-match", "--numeric-tolerance", "nan")
    assert run(*asked, *numeric, cwd=tmp_path).returncode == 2
    half = run(*asked, "--quality", "token-f1", "--edge", "edge", cwd=tmp_path)
    assert half.returncode == 2
    assert not (tmp_path / "o.jsonl").exists()
