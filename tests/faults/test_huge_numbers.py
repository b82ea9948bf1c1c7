"""Numbers that are finite and cannot be computed with: every reader names file, line and field."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_run import run
from routereval_file import routereval_dict, write_routereval
from tiny_bundle import write_tiny_bundle
from tiny_encoder import CLOUD, EDGE, outcomes, write_outcomes

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.answers import answered_prompts
from hybridroute.training.readers import read_outcomes
from hybridroute.training.readers.routereval import Candidates, read_routereval
from hybridroute.training.responses_file import read_responses

HUGE = "1e308"
ASKED = "at most 1e\\+09 in size"


def canonical(**cell: object) -> str:
    arms = {"good": {"quality": 1}, "bad": {"quality": 1, "responses": ["x"]} | cell}
    return json.dumps({"id": "1", "prompt": "why?", "arms": arms})


def mixinstruct(score: float) -> str:
    one = {"model": "m", "text": "x", "decoding_method": "top_p", "scores": {"bartscore": score}}
    return json.dumps({"id": "a/1", "instruction": "why?", "candidates": [one]})


def routerbench(quality: str = "1", cost: str = "0") -> str:
    columns = "sample_id,prompt,eval_name,a,a|model_response,a|total_cost"
    return f"{columns}\ns,why?,e,{quality},x,{cost}\n"


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        (
            "x.jsonl",
            canonical(quality=[0, 1e308], responses=["x", "y"]),
            r"arms\.bad\.quality\[1\]",
        ),
        ("x.jsonl", canonical(quality=-1e200), r"arms\.bad\.quality\[0\] is -1e\+200"),
        ("x.jsonl", canonical(cost_usd=1e308), r"arms\.bad\.cost_usd\[0\]"),
        ("x.jsonl", canonical(latency_ms=1e308), r"arms\.bad\.latency_ms\[0\]"),
        ("x.jsonl", mixinstruct(1e308), r"candidates\[0\]\.scores\.bartscore"),
        ("x.jsonl", mixinstruct(10**400), r"candidates\[0\]\.scores\.bartscore"),
        ("x.csv", f"prompt,a\nwhy?,{HUGE}\n", "column 'a'"),
        ("x.csv", routerbench(quality=HUGE), "column 'a'"),
        ("x.csv", routerbench(cost=HUGE), "column 'a'"),
    ],
)
def test_outcome_files(tmp_path: Path, name: str, text: str, where: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    line = 2 if name.endswith("csv") else 1
    with pytest.raises(DataError, match=rf"{name} line {line}: {where}.*{ASKED}"):
        read_outcomes([tmp_path / name])


@pytest.mark.parametrize("field", ["data", "embedding"])
def test_a_routereval_pickle(tmp_path: Path, field: str) -> None:
    held = routereval_dict()
    name = {"data": "val_score", "embedding": "val_embed"}[field]
    held["easy"][3]["all_strong"][field][name][3, 2] = 1e30
    path = write_routereval(tmp_path / "arc.pkl", held)
    with pytest.raises(DataError, match=rf"arc\.pkl: {name}\[3, 2\] is 1.*e\+.*{ASKED}"):
        read_routereval(path, Candidates(size=3, group="all_strong"))


@pytest.mark.parametrize("field", ["cost_usd", "latency_ms"])
def test_sampled_responses(tmp_path: Path, field: str) -> None:
    held = {"id": "1", "prompt": "why?", "arm": "a", "model": "m", "sample": 0, "seed": 1}
    held |= {"response": "x", "finish_reason": "stop", field: 1e308}
    path = tmp_path / "responses.jsonl"
    path.write_text(json.dumps(held) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"responses\.jsonl line 1: {field} is .*{ASKED}"):
        list(read_responses(path))


def test_a_score_given_to_label(tmp_path: Path) -> None:
    path = tmp_path / "table.jsonl"
    path.write_text(canonical(qualities={"mine": [10**400]}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"arms\.good\.responses is missing"):
        list(answered_prompts([path]))
    row = json.loads(canonical(qualities={"mine": [10**400]}))
    del row["arms"]["good"]
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=rf"line 1: arms\.bad\.qualities\.mine\[0\] is .*{ASKED}"):
        list(answered_prompts([path]))


def test_evaluate_says_it_in_one_line(tmp_path: Path) -> None:
    rows = write_outcomes(tmp_path / "rows.jsonl", outcomes(20))
    lines = rows.read_text(encoding="utf-8").splitlines()
    row = json.loads(lines[4])
    row["arms"][EDGE]["quality"] = [1e308]
    lines[4] = json.dumps(row)
    rows.write_text("\n".join(lines), encoding="utf-8")
    write_tiny_bundle(tmp_path / "b")
    asked = ("evaluate", "--bundle", "b", "--outcomes", rows.name, "--edge", EDGE, "--cloud", CLOUD)
    done = run(*asked, cwd=tmp_path, without=("torch", "transformers"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert f"rows.jsonl line 5: arms.{EDGE}.quality[0] is 1e+308" in done.stderr
