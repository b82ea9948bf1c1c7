"""An outcome table row by row: the file appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcome_writer import OutcomeWriter
from hybridroute.training.outcomes import ArmOutcome, Outcome
from hybridroute.training.readers.canonical import read_canonical

ROWS = [
    Outcome(id=str(at), prompt=f"p{at}", arms={"edge": ArmOutcome(quality=(at / 3,))})
    for at in range(3)
]


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_at_the_end_with_every_row(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with OutcomeWriter(path) as writer:
        for row in ROWS:
            writer.write(row)
        assert not path.exists()
    assert list(read_canonical(path).rows) == ROWS
    assert files(tmp_path) == ["out.jsonl"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), OutcomeWriter(path) as writer:
        writer.write(ROWS[0])
        raise ZeroDivisionError
    assert path.read_text() == "before"
    assert files(tmp_path) == ["out.jsonl"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("before")
    with OutcomeWriter(path):
        pass
    assert path.read_bytes() == b""


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "out.jsonl"
    with pytest.raises(DataError, match="out.jsonl cannot be written"), OutcomeWriter(path):
        pass
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "x").touch()
    with pytest.raises(DataError, match="folder cannot be written"), OutcomeWriter(folder):
        pass
    assert files(tmp_path) == ["folder"]


def test_a_row_without_a_json_form_is_refused(tmp_path: Path) -> None:
    odd = Outcome(id="x", prompt="p", arms=ROWS[0].arms, extra={"odd": {1, 2}})
    with pytest.raises(DataError), OutcomeWriter(tmp_path / "out.jsonl") as writer:
        writer.write(odd)
    assert files(tmp_path) == []
