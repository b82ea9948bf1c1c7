"""CSV rows by the line they start on, cells as qualities, and literals that run nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.readers.tables import csv_rows, literal, quality_of_cell


def read(tmp_path: Path, data: bytes) -> list[tuple[int, dict[str, str]]]:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    return list(csv_rows(path))


def test_a_row_has_the_line_it_starts_on(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbfa,b\n1,"two\nlines"\n3,4\n'
    assert read(tmp_path, data) == [(2, {"a": "1", "b": "two\nlines"}), (4, {"a": "3", "b": "4"})]
    assert read(tmp_path, b"a,b\n") == read(tmp_path, b"") == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,a,b\n", r"line 1: the columns \['a'\] stand twice"),
        (b'a,b\n1,"x\ny"\n3\n', "line 4: 1 cells where the header has 2"),
        (b"a,b\n1,2,3\n", "line 2: 3 cells where the header has 2"),
        (b"a,b\n\xff,2\n", "is not UTF-8"),
        (b'a,b\n"1"x,2\n', "is not a readable CSV file"),
        (b'a,b\n1,"never closed', "is not a readable CSV file"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(tmp_path, data)
    with pytest.raises(DataError, match="cannot be read"):
        list(csv_rows(tmp_path / "nowhere"))


def test_a_long_answer_fits_and_the_processs_own_limit_stays(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = b"x" * (before + 10)
    ((_, row),) = read(tmp_path, b"a\n" + long + b"\n")
    assert len(row["a"]) == len(long)
    assert csv.field_size_limit() == before
    with pytest.raises(DataError):
        read(tmp_path, b"a\n1,2\n")
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("cell", "value"),
    [("True", 1.0), (" false ", 0.0), ("0.5", 0.5), ("-1e3", -1000.0), ("7", 7.0)],
)
def test_a_cell_as_a_quality(cell: str, value: float) -> None:
    assert quality_of_cell(cell) == value


@pytest.mark.parametrize("cell", ["", "yes", "1,5", "nan", "inf", "-inf", "1e12"])
def test_a_cell_that_is_none(cell: str) -> None:
    with pytest.raises(DataError):
        quality_of_cell(cell)


def test_a_cell_is_told_back_only_in_part() -> None:
    with pytest.raises(DataError) as caught:
        quality_of_cell("x" * 9999)
    assert len(str(caught.value)) < 100


def test_a_literal_is_read_and_nothing_is_run(tmp_path: Path) -> None:
    assert literal("['a', {'b': (1, None)}]") == ["a", {"b": (1, None)}]
    mark = tmp_path / "was_run"
    runs = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    for bad in (runs, "f()", "[", "", "a.b", "lambda: 0", "[" * 5000):
        with pytest.raises(DataError, match="is not a Python literal"):
            literal(bad)
    assert not mark.exists()
