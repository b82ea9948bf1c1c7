"""Recognising the kind of an outcome file, and reading folders."""

import json
import logging
import os
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.readers import read_outcomes

LINE = json.dumps({"id": "1", "prompt": "canonical", "arms": {"a": {"quality": 1}}})
RECORDS = json.dumps([{"question": "dc", "scores": {"a": 0.55}}])


def test_each_kind_is_recognised_and_a_folder_is_read_in_order(tmp_path):
    (tmp_path / "d.jsonl").write_text(LINE + "\n")
    (tmp_path / "c.json").write_text(" \n" + RECORDS)
    (tmp_path / "b.csv").write_text("prompt,a\nllm,True\n")
    bench = "sample_id,prompt,eval_name,a,a|model_response,a|total_cost\ns,bench,e,1,x,0\n"
    (tmp_path / "a.csv").write_text(bench)
    (tmp_path / "README.md").write_text("not data")
    table = read_outcomes([tmp_path])
    assert table.texts() == ["bench", "llm", "dc", "canonical"]
    assert table.source == "a.csv, b.csv, c.json, d.jsonl"


def test_json_lines_may_be_called_json(tmp_path):
    (tmp_path / "x.json").write_text(LINE)
    assert read_outcomes([str(tmp_path / "x.json")]).texts() == ["canonical"]


def test_an_unknown_file_is_refused_by_name_and_passed_over_in_a_folder(tmp_path, caplog):
    (tmp_path / "settings.json").write_text('{"theme": 1}')
    (tmp_path / "x.jsonl").write_text(LINE)
    with pytest.raises(DataError, match=r"settings\.json is of no known kind"):
        read_outcomes([tmp_path / "settings.json"])
    with caplog.at_level(logging.WARNING):
        assert len(read_outcomes([tmp_path])) == 1
    assert "settings.json" in caplog.text


def test_a_bad_line_in_a_folder_is_not_passed_over(tmp_path):
    (tmp_path / "x.jsonl").write_text("{}")
    with pytest.raises(DataError, match=r"x\.jsonl line 1"):
        read_outcomes([tmp_path])


def test_nothing_to_read_is_an_error(tmp_path):
    for paths, says in (
        ([], "no outcome files were named"),
        ([tmp_path], "holds no outcome files"),
        ([tmp_path / "absent"], "does not exist"),
    ):
        with pytest.raises(DataError, match=says):
            read_outcomes(paths)


@pytest.mark.data
def test_every_real_folder_is_read():
    root = os.environ.get("HYBRIDROUTE_DATA")
    if not root:
        pytest.skip("HYBRIDROUTE_DATA is unset: no outcome records to read")
    folders = ("routellm/mmlu", "routerdc", "routerbench")
    arms = [len(read_outcomes([Path(root) / folder]).arm_names) for folder in folders]
    assert arms == [2, 7, 11]
