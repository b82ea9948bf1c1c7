"""The decision log's file: its tables, and rows put into them."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from hybridroute.edge_runtime.errors import ConfigError

_log = logging.getLogger(__name__)

SCHEMA_VERSION = 2
"""A log of another version is refused."""

COLUMNS = (
    "id at bundle arm model reason mode continues score score_kind threshold setting_kind dial "
    "cost_advantage calibrated unknown_share left_out fallback_from outcome error streamed "
    "prompt_tokens completion_tokens usage_estimated cost_usd saved_usd costs first_token_ms "
    "total_ms prompt propensity"
)
_CREATE = f"""
CREATE TABLE IF NOT EXISTS decisions ({", ".join(COLUMNS.split())}, PRIMARY KEY (id));
CREATE TABLE IF NOT EXISTS labels (id, arm, quality, PRIMARY KEY (id, arm));
PRAGMA user_version = {SCHEMA_VERSION};
"""
_INSERT = f"INSERT OR REPLACE INTO decisions VALUES ({', '.join('?' * len(COLUMNS.split()))})"  # noqa: S608

Row = tuple[object, ...]
"""The values of one decision, in the order of ``COLUMNS``."""

_BAD_ROW = (OverflowError, ValueError, sqlite3.DataError, sqlite3.ProgrammingError)
"""What SQLite says of a value that it cannot hold; any other error is the file's."""


def open_log(path: Path, *, wait_s: float) -> sqlite3.Connection:
    """A connection, for any one thread, to a file that holds the tables; made where there is none.

    Parameters
    ----------
    path : path
    wait_s : float
        How long to wait for others who write to it.

    Raises
    ------
    ConfigError
        If it is another database, or a log of another version.
    sqlite3.Error
        If it cannot be opened.
    """
    held = sqlite3.connect(path, timeout=wait_s, check_same_thread=False)
    try:
        version = held.execute("PRAGMA user_version").fetchone()[0]
        tables = held.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version != SCHEMA_VERSION and (version or tables):
            raise ConfigError(
                f"{path} is not a decision log of this version (user_version {version}); name "
                "another file"
            )
        held.execute("PRAGMA journal_mode = WAL")
        held.execute("PRAGMA synchronous = NORMAL")
        held.executescript(_CREATE)
    except BaseException:
        held.close()
        raise
    return held


def write_rows(held: sqlite3.Connection, rows: Iterable[Row], path: Path) -> int:
    """Write rows in one transaction, but for those SQLite cannot hold; gives how many these are.

    Raises
    ------
    sqlite3.Error
        If the file cannot be written; none of the rows is there then.
    """
    bad = 0
    with held:
        for row in rows:
            try:
                held.execute(_INSERT, row)
            except _BAD_ROW as exc:
                bad += 1
                _log.warning(
                    "the decision log %s cannot hold a request (%s)", path, type(exc).__name__
                )
    return bad
