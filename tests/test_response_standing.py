"""What a responses file holds already: counted, and checked against the plan."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_fakes import plan, response, write_responses

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.line_log import LineLog
from hybridroute.training.response_standing import standing_of

PLAN = plan("edge=small", prompts=2, n=3)


def drawn(sample: int = 0, arm: str = "edge", **changes: object):
    row = PLAN.prompts["p0"]
    return response(
        prompt=row.prompt,
        reference=row.reference,
        arm=arm,
        sample=sample,
        seed=PLAN.draw.seed_of("p0", arm, sample),
        settings=PLAN.draw.digest(PLAN.arms[0]),
        **changes,
    )


def test_a_file_of_another_kind_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": "a", "prompt": "b"}\n{"id": "c", "prompt": "d"}', encoding="utf-8")
    before = path.read_bytes()
    with LineLog(path), pytest.raises(DataError, match="line 1: arm is missing"):
        standing_of(path, PLAN)
    assert path.read_bytes() == before


def test_what_stands_there_is_counted(tmp_path: Path) -> None:
    failed = drawn(1, **{"response": None, "error": "long", "finish_reason": "error"})
    other = drawn(0, arm="cloud", cost_usd=0.5)
    path = write_responses(tmp_path / "r.jsonl", drawn(0, cost_usd=0.25), failed, other)
    standing = standing_of(path, PLAN)
    assert standing.done == {("p0", "edge"): {0, 1}, ("p0", "cloud"): {0}}
    assert standing.cost_usd == pytest.approx(0.75)
    assert standing.errors_of(PLAN, "edge") == ["long"]
    assert standing.errors_of(PLAN, "cloud") == []
    again = standing_of(path, PLAN, retry_errors=True)
    assert again.done[("p0", "edge")] == {0}


def test_an_error_that_was_answered_later_is_none(tmp_path: Path) -> None:
    """Nor is one of a prompt or a sample that the plan does not ask for."""
    failed = {"response": None, "finish_reason": "error"}
    path = write_responses(
        tmp_path / "r.jsonl",
        drawn(0, error="long", **failed),
        drawn(0),
        drawn(2, error="x", **failed),
    )
    assert standing_of(path, PLAN).errors_of(PLAN, "edge") == ["x"]
    fewer = plan("edge=small", prompts=2, n=2)
    assert standing_of(path, fewer).errors_of(fewer, "edge") == []
    others = plan("edge=small", prompts={"p1": PLAN.prompts["p1"]}, n=3)
    assert standing_of(path, others).errors_of(others, "edge") == []


def test_a_price_that_is_named_later_counts_for_what_was_drawn_before(tmp_path: Path) -> None:
    path = write_responses(
        tmp_path / "r.jsonl", drawn(0, prompt_tokens=1000, completion_tokens=500), drawn(1)
    )
    priced = plan("edge=small,price-in=100,price-out=200", prompts=2, n=3)
    assert standing_of(path, priced).cost_usd == pytest.approx(0.2)
    assert standing_of(path, PLAN).cost_usd == 0.0


def test_other_settings_prompts_and_seeds_are_not_mixed(tmp_path: Path) -> None:
    path = write_responses(tmp_path / "r.jsonl", drawn())
    cooler = plan("edge=small", prompts=2, n=3, temperature=0.7)
    with pytest.raises(ConfigError, match="with other settings"):
        standing_of(path, cooler)
    with pytest.raises(ConfigError, match="another --seed"):
        standing_of(path, plan("edge=small", prompts=2, n=3, seed=1))
    rows = {**PLAN.prompts, "p0": PLAN.prompts["p1"]}
    with pytest.raises(DataError, match="line 2: the id 'p0' stands in .* with another prompt"):
        standing_of(path, plan("edge=small", prompts=rows, n=3))
    assert standing_of(path, plan("cloud=other", prompts=2)).done
