"""hybridroute.toml: every wrong line is told, with its number and a way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hybridroute.settings_file import Wrong, line_of, read_file
from hybridroute.settings_sections import SECTIONS

TEXT = """\
# a comment with dial = 1
[router]
dial = 0.7
qality = 1

[cloud]
"model" = "m"
api_key = "sk-planted"
chunk_timeout_s = "soon"

[moon]
phase = 1
"""


def _read(folder: Path, text: str) -> tuple[dict[str, dict[str, object]], list[Wrong]]:
    file = folder / "hybridroute.toml"
    file.write_text(text, encoding="utf-8")
    return read_file(file, SECTIONS)


def test_all_that_is_wrong_is_told_and_the_rest_is_used(tmp_path: Path) -> None:
    layer, wrong = _read(tmp_path, TEXT)
    assert layer["router"] == {"dial": 0.7}
    assert layer["cloud"] == {"model": "m"}
    assert [(one.key, one.line) for one in wrong] == [
        ("router.qality", 4),
        ("cloud.api_key", 8),
        ("cloud.chunk_timeout_s", 9),
        ("moon", 11),
    ]
    assert "environment variables alone" in wrong[1].message
    assert "give a number" in wrong[2].message
    assert "sk-planted" not in " ".join(one.message for one in wrong)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\n[router\n", 2, "it is not valid TOML"),
        ("dial = 0.5\n", 1, r"belongs below \[router\]"),
        ("[routr]\n", 1, "'router' meant"),
        ("[router]\nmod = 'auto'\n", 2, "'mode' meant"),
        ("router.dial = 'x'\n", 1, "give a number"),
        ("router = { dial = 'x' }\n", 1, "give a number"),
        ("[router]\nthreads = 1.5\n", 2, "whole number"),
        ("server = 3\n", 1, "is not a section"),
    ],
)
def test_the_line_and_the_way_out(tmp_path: Path, text: str, line: int, said: str) -> None:
    _, (wrong,) = _read(tmp_path, text)
    assert wrong.line == line
    assert re.search(said, wrong.message)
    assert wrong.said_of("f.toml").startswith(f"f.toml:{line}: ")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "hybridroute.toml"
    file.write_bytes(b"\xff\xfe")
    _, (wrong,) = read_file(file, SECTIONS)
    assert "cannot be read" in wrong.message
    assert wrong.said_of("f.toml").startswith("f.toml: it cannot")


def test_a_line_that_is_not_there() -> None:
    assert line_of(TEXT, "edge.model") is None
    assert line_of(TEXT, "cloud") == 6
