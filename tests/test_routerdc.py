"""RouterDC's JSON: pass rates become ten responses, P(gold) becomes right or wrong."""

import json
import os
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.readers.routerdc import read_routerdc


def write(tmp_path, records, name):
    path = tmp_path / name
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def test_pass_rates_become_ten_responses(tmp_path):
    records = [
        {"question": "q", "scores": {"a": 0.3, "b": 1.0}, "cluster_id": "4"},
        {"question": "r", "scores": "{'a': 0.0, 'b': 0.7}"},
    ]
    table = read_routerdc(write(tmp_path, records, "gsm8k-train.json"))
    assert table.domains() == ["gsm8k", "gsm8k"]
    assert table.rows[0].extra == {"cluster_id": "4", "part": "train"}
    first = table.rows[0].arms["a"].quality
    assert len(first) == 10
    assert set(first) == {0.0, 1.0}
    assert table.mean_quality("a").tolist() == [0.3, 0.0]
    assert table.mean_quality("b").tolist() == [1.0, 0.7]


def test_probabilities_become_right_or_wrong(tmp_path):
    records = [{"question": "q", "scores": {"a": 0.31, "b": 0, "c": 0.5}}]
    table = read_routerdc(write(tmp_path, records, "arc_challenge_test.json"))
    row = table.rows[0]
    assert row.domain == "arc_challenge"
    assert {name: arm.quality for name, arm in row.arms.items()} == {
        "a": (1.0,),
        "b": (0.0,),
        "c": (1.0,),
    }
    assert row.arms["a"].extra == {"p_gold": 0.31}


def test_null_and_nan_are_missing_and_counted(tmp_path, caplog):
    records = [
        {"question": "q", "scores": {"a": 0.5, "b": None, "c": float("nan")}},
        {"question": "p", "scores": "{'a': 0.1, 'b': None, 'c': 1}"},
    ]
    table = read_routerdc(write(tmp_path, records, "gsm8k-test.json"))
    assert [set(row.arms) for row in table.rows] == [{"a"}, {"a", "c"}]
    assert table.rows[0].arms["a"].mean_quality == 0.5
    assert "gsm8k-test.json lacks 3 outcomes" in caplog.text


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({"question": "q"}, "question and scores"),
        ({"question": 1, "scores": {}}, "question is a int"),
        ({"question": "q", "scores": "{'a': nan}"}, "scores is not a Python literal"),
        ({"question": "q", "scores": "{'a': __import__('os')}"}, "not a Python literal"),
        ({"question": "q", "scores": [1]}, "scores is a list"),
        ({"question": "q", "scores": {"a": "1"}}, "scores.a is a str"),
        ({"question": "q", "scores": {"a": 1.5}}, "scores.a is 1.5"),
        ({"question": "q", "scores": {}}, "arms is empty"),
        ({"question": "", "scores": {"a": 1}}, "prompt is empty"),
    ],
)
def test_a_bad_record_is_named(tmp_path, record, says):
    good = {"question": "q", "scores": {"a": 1.0}}
    with pytest.raises(DataError, match=rf"x\.json record 2: .*{says}"):
        read_routerdc(write(tmp_path, [good, record], "x.json"))


def test_a_broken_file_is_an_error(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('[{"question": ')
    with pytest.raises(DataError, match="is not JSON"):
        read_routerdc(path)
    with pytest.raises(DataError, match="no list of records"):
        read_routerdc(write(tmp_path, {}, "y.json"))


@pytest.mark.data
def test_real_files_are_told_apart():
    root = os.environ.get("HYBRIDROUTE_DATA")
    if not root:
        pytest.skip("HYBRIDROUTE_DATA is unset: no outcome records to read")
    responses = {}
    for path in sorted((Path(root) / "routerdc").glob("*.json")):
        rows = read_routerdc(path).rows
        responses.setdefault(rows[0].domain, set()).update(
            len(arm.quality) for row in rows for arm in row.arms.values()
        )
    assert responses == {
        "gsm8k": {10},
        "humaneval": {10},
        "mmlu": {1},
        "cmmlu": {1},
        "arc_challenge": {1},
    }
