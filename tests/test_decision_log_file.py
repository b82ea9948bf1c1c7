"""The decision log's file: which are taken, and rows it cannot hold."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hybridroute.decision_log_file import COLUMNS, open_log, write_rows
from hybridroute.edge_runtime.errors import ConfigError


def _row(id: str, **values: Any) -> tuple[Any, ...]:
    held = dict.fromkeys(COLUMNS.split()) | {"id": id} | values
    return tuple(held.values())


def test_rows_that_sqlite_cannot_hold_are_counted_and_the_others_are_there(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = [
        _row("count", prompt_tokens=2**63),
        _row("text", model="secret \ud800"),
        _row("kind", model=object()),
        ("too", "few"),
    ]
    with closing(open_log(tmp_path / "log.db", wait_s=0)) as held:
        assert (
            write_rows(held, [_row("a"), *bad, _row("b", prompt_tokens=2**63 - 1)], tmp_path) == 4
        )
        assert held.execute("SELECT id FROM decisions").fetchall() == [("a",), ("b",)]
    assert "OverflowError" in caplog.text
    assert "secret" not in caplog.text


def test_a_file_that_is_locked_takes_none_of_the_rows(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with closing(open_log(path, wait_s=0)) as held, closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError):
            write_rows(held, [_row("a"), _row("b")], path)
        other.execute("ROLLBACK")
        assert write_rows(held, [_row("c")], path) == 0
        assert held.execute("SELECT id FROM decisions").fetchall() == [("c",)]


def test_a_log_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    open_log(path, wait_s=0).close()
    open_log(path, wait_s=0).close()
    with closing(sqlite3.connect(path)) as held:
        held.execute("PRAGMA user_version = 1")
    with pytest.raises(ConfigError, match="user_version 1"):
        open_log(path, wait_s=0)
