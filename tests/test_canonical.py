"""Canonical JSON lines: what is read, what comes back, and what a bad line says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.magnitude import LARGEST
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.readers import read_outcomes
from hybridroute.training.readers.canonical import (
    outcome_to_dict,
    parse_outcome,
    read_canonical,
    write_canonical,
)

GOOD = {"id": "1", "prompt": "hi", "arms": {"edge": {"quality": [1.0]}}}


def read(tmp_path, *lines):
    path = tmp_path / "table.jsonl"
    held = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(held))
    return read_canonical(path)


def test_a_full_row_comes_back_as_written(tmp_path):
    full = {
        "id": "7",
        "prompt": [{"role": "user", "content": "why\u2028so"}],
        "domain": "physics",
        "reference": "because",
        "arms": {
            "edge": {
                "quality": [-1.5, 2.0],
                "responses": ["a", "b"],
                "cost_usd": [0.0, 0.1],
                "latency_ms": [3.0, 4.0],
                "temperature": 0.7,
            },
            "cloud": {"quality": [1.0]},
        },
        "language": {"code": "en"},
    }
    table = read(tmp_path, full)
    write_canonical(table, tmp_path / "again.jsonl")
    assert json.loads((tmp_path / "again.jsonl").read_text("utf-8")) == full
    assert read_canonical(tmp_path / "again.jsonl").rows == table.rows


def test_a_single_number_is_a_list_of_one(tmp_path):
    arm = {"quality": 1, "cost_usd": 0.5}
    held = read(tmp_path, GOOD | {"arms": {"edge": arm}}).rows[0].arms["edge"]
    assert (held.quality, held.cost_usd) == ((1.0,), (0.5,))


def test_null_is_absent_and_a_byte_order_mark_and_last_blank_lines_are_allowed(tmp_path):
    line = b"\xef\xbb\xbf" + json.dumps(GOOD | {"domain": None}).encode() + b"\r\n\n\n"
    assert read(tmp_path, line).rows[0].domain is None


def test_an_arm_whose_quality_is_null_is_missing_and_counted(tmp_path, caplog):
    arms = {"edge": {"quality": None, "cost_usd": 1.0}, "cloud": {"quality": 1.0}}
    assert set(read(tmp_path, GOOD | {"arms": arms}).rows[0].arms) == {"cloud"}
    assert "table.jsonl lacks 1 outcomes" in caplog.text


def test_unescaped_line_separators_do_not_end_a_line(tmp_path):
    line = json.dumps(GOOD | {"prompt": "a\u2028b\u0085c"}, ensure_ascii=False).encode()
    assert len(read(tmp_path, line, GOOD | {"id": "2"})) == 2


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (b"{", "not a JSON object"),
        (b"", "blank"),
        (b"\xff", "not UTF-8"),
        (b"[" * 100_000, "not a JSON object"),
        ([], "list"),
        ({"prompt": "x", "arms": {}}, "id is missing"),
        (GOOD | {"id": 3}, "id is a int"),
        (GOOD | {"prompt": 3}, "prompt is a int"),
        (GOOD | {"prompt": [{"role": "user", "content": 3}]}, "content is a int"),
        (GOOD | {"domain": 3}, "domain is a int"),
        (GOOD | {"arms": []}, "arms is a list"),
        (GOOD | {"arms": {"e": 1}}, "arms.e is a int"),
        (GOOD | {"arms": {"e": {}}}, "arms.e.quality is missing"),
        (GOOD | {"arms": {"e": {"quality": None}}}, "arms is empty"),
        (GOOD | {"arms": {"e": {"quality": [None]}}}, r"arms.e.quality\[0\] is a NoneType"),
        (GOOD | {"arms": {"e": {"quality": []}}}, "arms.e.quality is empty"),
        (GOOD | {"arms": {"e": {"quality": ["1"]}}}, r"arms.e.quality\[0\] is a str"),
        (GOOD | {"arms": {"e": {"quality": [True]}}}, r"arms.e.quality\[0\] is a bool"),
        (GOOD | {"arms": {"e": {"quality": [0, 10**400]}}}, r"arms.e.quality\[1\] is too large"),
        (GOOD | {"arms": {"e": {"quality": 1, "responses": "x"}}}, "arms.e.responses is a str"),
        (GOOD | {"arms": {"e": {"quality": 1, "responses": [1]}}}, r"arms.e.responses\[0\]"),
        (GOOD | {"arms": {"e": {"quality": 1, "cost_usd": [1, 2]}}}, "arms.e.cost_usd has 2"),
        (b'{"id":"1","prompt":"x","arms":{"e":{"quality":[NaN]}}}', r"arms.e.quality\[0\] is nan"),
        (b'{"id":"1","prompt":"x","arms":{"e":{"quality":1},"e":{"quality":0}}}', "stand twice"),
    ],
)
def test_a_bad_line_names_file_line_and_field(tmp_path, line, field):
    with pytest.raises(DataError, match=rf"table\.jsonl line 2: .*{field}"):
        read(tmp_path, GOOD, line, GOOD)


def test_an_empty_file_and_a_missing_one_are_errors(tmp_path):
    with pytest.raises(DataError, match="holds no outcome"):
        read(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_canonical(tmp_path / "absent.jsonl")


def test_a_lone_surrogate_survives_writing(tmp_path):
    row = parse_outcome(GOOD | {"extra_text": "\ud800", "prompt": "Käse"})
    path = tmp_path / "out.jsonl"
    write_canonical(OutcomeTable(rows=(row,), source="x"), path)
    assert read_canonical(path).rows == (row,)


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text("old")
    row = parse_outcome(GOOD | {"odd": float("nan")})
    with pytest.raises(DataError, match="no JSON form"):
        write_canonical(OutcomeTable(rows=(row,), source="x"), path)
    assert [file.name for file in tmp_path.iterdir()] == ["out.jsonl"]
    assert path.read_text() == "old"
    with pytest.raises(DataError, match="cannot be written"):
        write_canonical(OutcomeTable(rows=(), source="x"), tmp_path / "no" / "folder.jsonl")


numbers = st.floats(min_value=-LARGEST, max_value=LARGEST)
texts = st.text(max_size=20)


@given(
    prompt=texts.filter(str.strip),
    qualities=st.lists(numbers, min_size=1, max_size=4),
    extra=st.dictionaries(st.sampled_from(["x", "y"]), texts),
)
def test_parse_and_write_are_inverse(prompt, qualities, extra):
    held = {"id": "i", "prompt": prompt, "arms": {"a": {"quality": qualities}}} | extra
    assert outcome_to_dict(parse_outcome(held)) == held


def test_an_id_given_to_two_prompts_names_both_lines_and_the_way_out(tmp_path):
    with pytest.raises(DataError, match=r"table\.jsonl line 3: id: '1' .* line 1 .* of its own"):
        read(tmp_path, GOOD, GOOD | {"id": "2"}, GOOD | {"prompt": "another"})


def test_rows_of_one_prompt_may_share_an_id(tmp_path):
    """A duplicate, or another arm's outcome; a system prompt is not routed."""
    cloud = GOOD | {"arms": {"cloud": {"quality": [0.5]}}}
    system = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    table = read(tmp_path, GOOD, cloud, GOOD | {"prompt": system})
    assert set(table.deduplicated().table.rows[0].arms) == {"edge", "cloud"}


def test_files_may_share_running_numbers(tmp_path):
    for name, prompt in (("one", "hi"), ("two", "another")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps(GOOD | {"prompt": prompt}), "utf-8")
    assert len(read_outcomes([tmp_path])) == 2
