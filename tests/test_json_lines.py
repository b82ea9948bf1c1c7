"""JSON lines, one at a time, each refused by its number."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.readers.json_lines import json_lines


def read(tmp_path: Path, data: bytes) -> list[tuple[int, Any]]:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(data)
    return list(json_lines(path))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n \n\t\n"])
def test_values_with_their_numbers_and_blank_lines_at_the_end(tmp_path: Path, end: bytes) -> None:
    assert read(tmp_path, b'{"a": 1}\r\n[2]\nnull' + end) == [(1, {"a": 1}), (2, [2]), (3, None)]


def test_a_file_of_nothing_has_no_lines(tmp_path: Path) -> None:
    assert read(tmp_path, b"") == read(tmp_path, b"\n\n") == []


def test_a_byte_order_mark_is_passed_over_where_it_is_the_first(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    assert read(tmp_path, mark + b"1\n") == [(1, 1)]
    with pytest.raises(DataError, match="line 2: not a JSON object"):
        read(tmp_path, b"1\n" + mark + b"2\n")


@pytest.mark.parametrize("inner", ["\u2028", "\u2029", "\u0085", "\x0b", "\x1c"])
def test_lines_end_at_line_feeds_alone(tmp_path: Path, inner: str) -> None:
    """JSON may hold the first three unescaped; the others are for JSON to refuse."""
    data = f'"a{inner}b"\n2'.encode()
    if inner < " ":
        with pytest.raises(DataError, match="line 1: not a JSON object"):
            read(tmp_path, data)
    else:
        assert read(tmp_path, data) == [(1, f"a{inner}b"), (2, 2)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"1\n\n\n2\n", "line 2: the line is blank; remove it"),
        (b"1\n{\n", "line 2: not a JSON object"),
        (b'1\n"\xff"\n', "line 2: not UTF-8"),
        (b'1\n{"a": 1, "b": 2, "a": 3}\n', r"line 2: the keys \['a'\] stand twice"),
        (b'{"x": {"a": 1, "a": 1}}\n', r"line 1: the keys \['a'\] stand twice"),
        (b"[" * 100_000, "line 1: not a JSON object"),
        (b"9" * 5000, "line 1: not a JSON object"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said) as caught:
        read(tmp_path, data)
    assert "rows.jsonl" in str(caught.value)


def test_what_came_before_a_wrong_line_was_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"1\n2\n{\n")
    assert list(itertools.islice(json_lines(path), 2)) == [(1, 1), (2, 2)]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataError, match="cannot be read .*; check the path"):
            list(json_lines(path))
