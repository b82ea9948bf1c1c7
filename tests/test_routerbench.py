"""RouterBench's CSV: list literals in cells, missing measurements, costs."""

import csv
import os
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.readers.routerbench import read_routerbench

HEAD = ["", "sample_id", "prompt", "eval_name", "a", "b"]
HEAD += [f"{arm}|{part}" for part in ("model_response", "total_cost") for arm in "ab"]
HEAD += ["oracle_model_to_route_to"]


def read(tmp_path, *rows):
    path = tmp_path / "bench.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEAD, *rows])
    return read_routerbench(path)


def cells(prompt="['Why?']", a="1.0", b="0.0", response="['D\\n']", cost="0.002"):
    return ["5", "arc.1", prompt, "arc", a, b, response, "plain", cost, "0.1", "a"]


def test_a_row_is_read_whole(tmp_path):
    row = read(tmp_path, cells()).rows[0]
    assert (row.id, row.prompt, row.domain) == ("arc.1", "Why?", "arc")
    assert row.arms["a"].quality == (1.0,)
    assert row.arms["a"].responses == ("D\n",)
    assert row.arms["a"].cost_usd == (0.002,)
    assert row.arms["b"].responses == ("plain",)
    assert row.extra == {}


def test_several_turns_become_user_messages(tmp_path):
    row = read(tmp_path, cells(prompt="['One', 'Two']")).rows[0]
    assert row.prompt == ({"role": "user", "content": "One"}, {"role": "user", "content": "Two"})


def test_an_arm_that_was_not_measured_is_absent_and_counted_by_the_pair(tmp_path):
    table = read(tmp_path, cells(), cells(prompt="['Else?']", b=""))
    assert set(table.rows[1].arms) == {"a"}
    assert table.with_pair("a", "b").dropped == 1


def test_empty_cells_and_nan_are_missing_outcomes_and_unknown_costs(tmp_path, caplog):
    table = read(tmp_path, cells(cost=""), cells(a="NaN", cost="nan"))
    assert table.rows[0].arms["a"].cost_usd is None
    assert set(table.rows[1].arms) == {"b"}
    assert "bench.csv lacks 1 outcomes" in caplog.text


def test_an_answer_that_only_looks_like_a_list_is_kept(tmp_path):
    assert read(tmp_path, cells(response="[see below")).rows[0].arms["a"].responses == (
        "[see below",
    )


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"prompt": "['open"}, "line 2: column 'prompt' is not a Python literal"),
        ({"prompt": "[1]"}, "line 2: column 'prompt' is not a list of texts"),
        ({"a": "good"}, "line 2: column 'a' is 'good'"),
        ({"cost": "-1"}, r"line 2: column 'a' cost_usd\[0\]"),
        ({"a": "", "b": ""}, "line 2: arms is empty"),
    ],
)
def test_a_bad_cell_names_line_and_column(tmp_path, bad, says):
    with pytest.raises(DataError, match=says):
        read(tmp_path, cells(**bad))


@pytest.mark.data
def test_real_records():
    root = os.environ.get("HYBRIDROUTE_DATA")
    if not root:
        pytest.skip("HYBRIDROUTE_DATA is unset: no outcome records to read")
    table = read_routerbench(Path(root) / "routerbench/mbpp_train.csv")
    assert len(table.arm_names) == 11
    assert set(table.domains()) == {"mbpp"}
    assert all(cost > 0 for cost in table.mean_cost_usd("gpt-4-1106-preview"))
