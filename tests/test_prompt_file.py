"""Prompt files: text, JSON lines, MixInstruct, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.prompt_file import read_prompt_rows


def written(tmp_path: Path, *lines: str | dict[str, object], name: str = "prompts.jsonl") -> Path:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path = tmp_path / name
    path.write_text("\n".join(texts) + "\n", encoding="utf-8")
    return path


def test_json_lines_keep_what_they_say(tmp_path: Path) -> None:
    held = {"id": 7, "prompt": "one", "domain": "chat", "reference": "two", "check": ["x"]}
    (row,) = read_prompt_rows(written(tmp_path, held))
    assert (row.id, row.prompt, row.domain, row.reference) == ("7", "one", "chat", "two")
    assert row.extra == {"check": ["x"]}
    assert row.messages == ({"role": "user", "content": "one"},)
    assert row.where.endswith("prompts.jsonl, line 1")


def test_mix_instruct_joins_instruction_and_input_by_a_line_feed(tmp_path: Path) -> None:
    line = {
        "id": "unified_chip2/69962",
        "instruction": "Translate.",
        "input": "Guten Tag",
        "output": "Good day",
        "candidates": [{"model": "a", "text": "x"}],
        "cmp_results": "null",
        "templated": False,
    }
    first, second = read_prompt_rows(written(tmp_path, line, {**line, "input": "", "id": None}))
    assert (first.id, first.prompt) == ("unified_chip2/69962", "Translate.\nGuten Tag")
    assert (first.reference, first.extra) == ("Good day", {"templated": False})
    assert (second.id, second.prompt) == (None, "Translate.")


def test_text_lines_are_prompts(tmp_path: Path) -> None:
    rows = read_prompt_rows(written(tmp_path, "one", "", " two ", name="prompts.txt"))
    assert [(row.prompt, row.where[-6:]) for row in rows] == [("one", "line 1"), ("two", "line 3")]


def test_the_line_of_a_wrong_byte_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes("one\ntwo\ncaf\xe9\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"latin\.txt, line 3: .*0xe9\); re-encode"):
        read_prompt_rows(path)
    path.write_bytes("one\n".encode("utf-16"))
    with pytest.raises(DataError, match="is UTF-16 and not UTF-8"):
        read_prompt_rows(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"prompt": "x", "reference": 3}, "line 2: reference is a int"),
        ({"prompt": "x", "id": ["a"]}, r"line 2: id is \['a'\]"),
        ({"prompt": "x", "id": ""}, "line 2: id is ''"),
        ({"instruction": " ", "input": ""}, "line 2: the prompt holds no user text"),
        ({"instruction": 4}, "line 2: instruction is a int"),
        ("[" * 100_000, "line 2 is not JSON"),
    ],
)
def test_a_bad_field_is_named(tmp_path: Path, line: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_prompt_rows(written(tmp_path, {"prompt": "fine"}, line))
