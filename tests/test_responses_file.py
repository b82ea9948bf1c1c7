"""The responses file: reading it one by one and prompt by prompt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sample_fakes import response, write_responses

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.responses_file import Response, group_by_prompt, read_responses


def test_a_response_comes_back_as_it_was(tmp_path: Path) -> None:
    whole = response(
        prompt=({"role": "user", "content": "hi \u2028 \ud800"},),
        domain="chat",
        reference="ref",
        extra={"check": [1]},
        seed=5,
        temperature=0.8,
        max_tokens=9,
        settings="abc",
        prompt_tokens=4,
        completion_tokens=2,
        cost_usd=0.5,
        latency_ms=1.5,
    )
    failed = response(sample=1, response=None, finish_reason="error", error="too long")
    path = write_responses(tmp_path / "r.jsonl", whole, failed)
    assert list(read_responses(path)) == [whole, failed]


def test_a_line_that_was_cut_off_is_left_out(tmp_path: Path) -> None:
    path = write_responses(tmp_path / "r.jsonl", response(), response(sample=1))
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    assert [held.sample for held in read_responses(path)] == [0]
    path.write_bytes(whole[:-1])
    assert [held.sample for held in read_responses(path)] == [0, 1]


def test_groups_have_every_arm_in_the_order_of_samples(tmp_path: Path) -> None:
    first = write_responses(
        tmp_path / "a.jsonl", *(response(id=i, sample=s) for s in (1, 0) for i in ("b", "a"))
    )
    second = write_responses(tmp_path / "b.jsonl", response(id="a", arm="cloud"))
    groups = list(group_by_prompt(first, second))
    assert [group.id for group in groups] == ["b", "a"]
    assert [held.sample for held in groups[1].arms["edge"]] == [0, 1]
    assert list(groups[1].arms) == ["edge", "cloud"]


def test_an_error_gives_way_to_a_later_response(tmp_path: Path) -> None:
    failed = response(response=None, finish_reason="error", error="no")
    path = write_responses(tmp_path / "r.jsonl", failed, response(response="now"))
    (group,) = group_by_prompt(path)
    assert [held.response for held in group.arms["edge"]] == ["now"]


def test_two_responses_of_one_sample_are_an_error(tmp_path: Path) -> None:
    path = write_responses(tmp_path / "r.jsonl", response(), response(response="other"))
    with pytest.raises(DataError, match=r"line 2: sample 0 of arm 'edge'.*line 1 already"):
        list(group_by_prompt(path))


def test_one_id_with_two_prompts_is_an_error(tmp_path: Path) -> None:
    path = write_responses(tmp_path / "r.jsonl", response(), response(sample=1, prompt="other"))
    with pytest.raises(DataError, match=r"line 2: id 'p0' has another prompt .*line 1"):
        list(group_by_prompt(path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sample": -1}, "line 2: sample is -1"),
        ({"sample": True}, "line 2: sample is a bool"),
        ({"arm": 3}, "line 2: arm is a int"),
        ({"prompt": 3}, "line 2: prompt is a int"),
        ({"response": None}, "line 2: response and error"),
        ({"error": "both"}, "line 2: response and error"),
        ({"cost_usd": float("nan")}, "line 2: cost_usd is nan"),
        ({"usage": 3}, "line 2: usage is a int"),
        ({"answer": "x"}, r"line 2: the keys \['answer'\]"),
    ],
)
def test_a_bad_field_is_named(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    path = write_responses(tmp_path / "r.jsonl", response())
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({**response(sample=1).to_dict(), **changes}) + "\n")
    with pytest.raises(DataError, match=said):
        list(read_responses(path))


def test_a_missing_file_and_a_wrong_encoding(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        list(read_responses(tmp_path / "absent.jsonl"))
    path = tmp_path / "latin.jsonl"
    path.write_bytes(response(response="caf\xe9").to_line().decode().encode("latin-1"))
    with pytest.raises(DataError, match=r"line 1: not UTF-8"):
        list(read_responses(path))


def test_keys_that_json_cannot_hold_are_named() -> None:
    held: Response = response(extra={"x": float("inf")})
    with pytest.raises(DataError, match="prompt 'p0' has no JSON form"):
        held.to_line()
