"""MixInstruct's JSON lines; the fixtures are made to its published schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.readers import read_mixinstruct, read_outcomes

SCORES = {"logprobs": -0.02, "rouge1": 0.4, "bleurt": -0.3, "bertscore": 0.8, "bartscore": -2.9}


def candidate(model: str = "alpaca-native", **other: object) -> dict[str, object]:
    held = {"decoding_method": "top_p_sampling", "model": model, "text": f"by {model}"}
    return held | {"scores": SCORES} | other


def line(**other: object) -> dict[str, object]:
    compared = json.dumps({"alpaca-native,chatglm-6b": "A is better"})
    held = {
        "id": "unified_chip2/69962",
        "instruction": "Translate.",
        "input": "Bonjour",
        "output": "Hello",
        "candidates": [candidate(), candidate("chatglm-6b")],
        "cmp_results": compared,
    }
    return held | other


def write(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "mix.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in lines), encoding="utf-8")
    return path


def test_a_line_is_read_whole(tmp_path) -> None:
    row = read_mixinstruct(write(tmp_path, line(split="train"))).rows[0]
    assert (row.id, row.domain) == ("unified_chip2/69962", "unified_chip2")
    assert (row.prompt, row.reference) == ("Translate.\nBonjour", "Hello")
    assert list(row.arms) == ["alpaca-native", "chatglm-6b"]
    assert row.arms["chatglm-6b"].quality == (-2.9,)
    assert row.arms["chatglm-6b"].responses == ("by chatglm-6b",)
    assert row.extra["cmp_results"] == {"alpaca-native,chatglm-6b": "A is better"}
    assert row.extra["split"] == "train"
    assert row.extra["metric"]["name"] == "bartscore"


def test_another_score_may_be_the_quality_and_one_model_may_answer_twice(tmp_path) -> None:
    twice = line(candidates=[candidate(), candidate(text="again", scores={"bertscore": 0.5})])
    row = read_mixinstruct(write(tmp_path, twice), quality="bertscore").rows[0]
    assert row.arms["alpaca-native"].quality == (0.8, 0.5)


def test_a_score_that_is_null_is_missing_and_counted(tmp_path, caplog) -> None:
    blank = {**SCORES, "bartscore": None}
    path = write(tmp_path, line(candidates=[candidate(), candidate("x", scores=blank)]))
    assert "x" not in read_mixinstruct(path).rows[0].arms
    assert "lacks 1 outcomes" in caplog.text
    assert "x" in read_mixinstruct(path, quality="bleurt").rows[0].arms


@pytest.mark.parametrize("none", ["null", None])
def test_no_comparisons_and_no_input_are_no_fault(tmp_path, none) -> None:
    table = read_outcomes([write(tmp_path, line(cmp_results=none, input=""))])
    assert "cmp_results" not in table.rows[0].extra
    assert table.rows[0].prompt == "Translate."


def test_a_line_without_bartscore_names_file_line_and_field(tmp_path) -> None:
    fewer = {name: value for name, value in SCORES.items() if name != "bartscore"}
    path = write(tmp_path, line(), line(candidates=[candidate(), candidate("x", scores=fewer)]))
    wanted = r"mix\.jsonl line 2: candidates\[1\]\.scores\.bartscore is missing \(there are \['bert"
    with pytest.raises(DataError, match=wanted):
        read_mixinstruct(path)
    assert len(read_mixinstruct(path, quality="bleurt")) == 2


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"candidates": []}, "candidates is missing or empty"),
        ({"candidates": ["x"]}, r"candidates\[0\] is a str"),
        ({"candidates": [candidate(text=None)]}, r"candidates\[0\].text is a NoneType"),
        (
            {"candidates": [candidate(scores={"bleu": "1"})]},
            "scores.bleu is a str",
        ),
        ({"candidates": [candidate(scores={"bleu": float("nan")})]}, "bleu is nan"),
        ({"candidates": [candidate(scores=[1])]}, "scores is a list"),
        ({"cmp_results": "{"}, "cmp_results is not valid JSON"),
        ({"cmp_results": "[1]"}, "cmp_results is a list"),
        ({"instruction": " ", "input": ""}, "instruction is empty"),
        ({"id": 7}, "id is a int"),
    ],
)
def test_a_bad_line_names_file_line_and_field(tmp_path, other, says) -> None:
    with pytest.raises(DataError, match=rf"mix\.jsonl line 2: .*{says}"):
        read_mixinstruct(write(tmp_path, line(), line(**other)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"id"\n', "line 1: not a JSON object"),
        (b'\n{"id": 1}\n', "line 1: the line is blank"),
        ('{"id": "caf\u00e9"}'.encode("latin-1"), "line 1: not UTF-8"),
        (b'{"id": "a", "id": "b"}', r"line 1: the keys \['id'\] stand twice"),
        (b"[]\n", "line 1: the line is a list"),
        (b"\n\n", "holds no line"),
    ],
)
def test_what_is_no_json_line(tmp_path, content: bytes, says: str) -> None:
    path = tmp_path / "mix.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_mixinstruct(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_mixinstruct(tmp_path / "none.jsonl")


def test_an_id_given_to_two_prompts_names_both_lines(tmp_path) -> None:
    held = write(tmp_path, line(), line(input="Bonsoir"))
    with pytest.raises(DataError, match=r"mix\.jsonl line 2: id: .*69962' stands on line 1"):
        read_mixinstruct(held)
