"""RouteLLM's CSV."""

import os
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.readers.routellm import read_routellm


def write(tmp_path, text, name="mmlu_virology.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_truth_becomes_quality_and_the_file_name_the_domain(tmp_path):
    path = write(tmp_path, 'prompt,m/small,gpt\n"Two\nlines, one cell",False,True\nb,true,0.25\n')
    table = read_routellm(path)
    assert table.arm_names == ("m/small", "gpt")
    assert table.domains() == ["mmlu_virology"] * 2
    assert table.rows[0].prompt == "Two\nlines, one cell"
    assert table.mean_quality("m/small").tolist() == [0.0, 1.0]
    assert table.mean_quality("gpt").tolist() == [1.0, 0.25]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('"a\nb",True,True\nq,True,maybe\n', "line 4: column 'gpt' is 'maybe'"),
        ("q,True,inf\n", "line 2: column 'gpt' is inf"),
        ("q,,\n", "line 2: arms is empty"),
        ("q,True\n", "line 2: 2 cells where the header has 3"),
        (" ,True,True\n", "line 2: prompt is empty"),
        ('"q,True,True\n', "not a readable CSV"),
        ("", "holds no rows"),
    ],
)
def test_a_bad_row_names_line_and_column(tmp_path, body, says):
    with pytest.raises(DataError, match=says):
        read_routellm(write(tmp_path, "prompt,small,gpt\n" + body))


def test_an_empty_cell_or_nan_is_missing_and_counted(tmp_path, caplog):
    table = read_routellm(write(tmp_path, "prompt,small,gpt\na,True,\nb,nan,False\nc,True,True\n"))
    assert [set(row.arms) for row in table.rows] == [{"small"}, {"gpt"}, {"small", "gpt"}]
    assert "mmlu_virology.csv lacks 2 outcomes" in caplog.text


def test_a_column_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"\['gpt'\] stand twice"):
        read_routellm(write(tmp_path, "prompt,gpt,gpt\nq,True,True\n"))


@pytest.mark.data
def test_real_records():
    root = os.environ.get("HYBRIDROUTE_DATA")
    if not root:
        pytest.skip("HYBRIDROUTE_DATA is unset: no outcome records to read")
    table = read_routellm(Path(root) / "routellm/mmlu/mmlu_virology.csv")
    assert table.arm_names == ("mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview")
    assert len(table) > 100
