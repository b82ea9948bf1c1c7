"""Decisions in an SQLite file, written by a thread of its own: answers never wait for the disk."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
import weakref
from pathlib import Path
from queue import Empty, Full, Queue

from hybridroute.answered import Answered
from hybridroute.edge_runtime.bundle import MODEL, Bundle
from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.routed_text import routed_text

_log = logging.getLogger(__name__)

SCHEMA_VERSION = 2
"""2 added ``propensity``; a log of 1 gets the column when it is opened."""
_WAITING = 10_000
_BATCH = 500
_LAST_WORD_S = 5.0

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


class DecisionLog:
    """Writes every finished request to a file; a listener, see :class:`Listeners`.

    It holds no prompt, answer or key, and of errors only their kind. What waits to be written is
    bounded; when the disk is too slow for the traffic the rest is dropped, and counted.

    Parameters
    ----------
    path : path
        The SQLite file; made, readable by its owner alone, if it is not there. Several processes
        may write to one.
    bundle : str
        Names the router whose scores these are.
    prompts : bool
        Also keep the text that was routed.

    Raises
    ------
    ConfigError
        If the file cannot be opened or is no such log.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, bundle: str = "", prompts: bool = False
    ) -> None:
        self.path = Path(path)
        self._bundle, self._prompts = bundle, prompts
        self._dropped = 0
        self._queue: Queue[Row | threading.Event | None] = Queue(_WAITING)
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            _prepare(self.path)
        except (OSError, sqlite3.Error) as exc:
            raise ConfigError(
                f"the decision log {self.path} cannot be opened ({exc}); name another file"
            ) from exc
        self._lost: list[int] = []
        thread = threading.Thread(
            target=_write_all,
            args=(self.path, self._queue, self._lost),
            name="hybridroute-log",
            daemon=True,
        )
        thread.start()
        # Also writes what waits when the log is dropped, or the program ends, unclosed.
        self._finish = weakref.finalize(self, _finish, self._queue, thread)

    @property
    def dropped(self) -> int:
        """Requests that were not written: too many waited, or the file could not be written."""
        return self._dropped + sum(self._lost)

    def listen(self, answered: Answered) -> None:
        """Note one finished request; never waits."""
        if not self._finish.alive:
            return
        try:
            self._queue.put_nowait(self._row(answered))
        except Full:
            self._dropped += 1
            if self._dropped == 1:
                _log.warning("the decision log %s cannot keep up; requests are dropped", self.path)

    def rate(self, id: str, quality: float) -> None:
        """Note how good the answer to a logged request was, whichever arm gave it.

        Raises
        ------
        DataError
            If the log holds no such decision, or cannot be written.
        """
        self.flush()
        write_label(self.path, id=id, quality=quality)

    def flush(self) -> None:
        """Wait until all that was noted so far is written."""
        written = threading.Event()
        if self._finish.alive:
            self._queue.put(written)
            written.wait(_LAST_WORD_S)

    def close(self) -> None:
        """Write what waits, and end the thread; safe to call twice."""
        self._finish()

    def _row(self, answered: Answered) -> Row:
        decision, usage = answered.decision, answered.usage
        return (
            decision.id,
            answered.at,
            self._bundle,
            decision.arm,
            decision.model,
            decision.reason,
            decision.mode,
            decision.continues,
            decision.score,
            decision.score_kind,
            decision.threshold,
            decision.setting_kind,
            decision.dial,
            decision.cost_advantage,
            decision.calibrated,
            decision.unknown_share,
            json.dumps(sorted(decision.left_out)),  # the reasons may quote an error
            decision.fallback_from,
            answered.outcome,
            answered.error,
            answered.streamed,
            None if usage is None else usage.prompt_tokens,
            None if usage is None else usage.completion_tokens,
            decision.usage_estimated,
            decision.cost_usd,
            decision.saved_usd,
            json.dumps(dict(answered.costs_usd)),
            answered.first_token_ms,
            answered.total_ms,
            _storable(routed_text(answered.request.messages)) if self._prompts else None,
            decision.propensity,
        )


def bundle_name(bundle: Bundle) -> str:
    """What a log calls a bundle, so that scores are compared with their like alone.

    The start of its model's SHA-256 and, where scores are mapped to probabilities, of the map's.
    """
    record, found = bundle.manifest.files.get(MODEL), bundle.manifest.probability_map
    name = "" if record is None else record.sha256[:16]
    if found is None:
        return name
    said = json.dumps([found.temperature, found.scores, found.values])
    return f"{name}-{hashlib.sha256(said.encode('ascii')).hexdigest()[:8]}"


def write_label(
    path: str | os.PathLike[str], *, id: str, quality: float, arm: str | None = None
) -> None:
    """Note how good an arm's answer to a logged request is: what ``replay`` measures loss by.

    Parameters
    ----------
    id : str
        The Decision's.
    quality : float
    arm : str or None
        The one that answered if None.

    Raises
    ------
    DataError
        If the log holds no such decision, or cannot be written.
    """
    try:
        with sqlite3.connect(path) as held:
            found = held.execute("SELECT arm FROM decisions WHERE id = ?", (id,)).fetchone()
            if not found:
                raise DataError(f"{path} holds no decision {id!r}; give the id of a Decision")
            values = (id, found[0] if arm is None else arm, quality)
            held.execute("INSERT OR REPLACE INTO labels VALUES (?, ?, ?)", values)
        held.close()
    except sqlite3.Error as exc:
        raise DataError(f"the decision log {path} cannot be written: {exc}") from exc


def _prepare(path: Path) -> None:
    held = sqlite3.connect(path)
    try:
        version = held.execute("PRAGMA user_version").fetchone()[0]
        tables = held.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if version == 1:
            held.execute("ALTER TABLE decisions ADD COLUMN propensity")
        elif version != SCHEMA_VERSION and (version or tables):
            raise ConfigError(
                f"{path} is no decision log of this version (user_version {version}); name "
                "another file"
            )
        held.execute("PRAGMA journal_mode = WAL")
        held.executescript(_CREATE)
    finally:
        held.close()


def _write_all(path: Path, queue: Queue[Row | threading.Event | None], lost: list[int]) -> None:
    """The writing thread: whatever waits, in one transaction each time."""
    held = sqlite3.connect(path, timeout=_LAST_WORD_S)
    held.execute("PRAGMA synchronous = NORMAL")
    is_open = True
    while is_open:
        taken = [queue.get(), *_waiting(queue)]
        rows = [item for item in taken if isinstance(item, tuple)]
        try:
            with held:
                held.executemany(_INSERT, rows)
        except sqlite3.Error as exc:
            lost.append(len(rows))
            _log.warning("the decision log %s cannot be written: %s", path, exc)
        for item in taken:
            if isinstance(item, threading.Event):
                item.set()
        is_open = None not in taken
    held.close()


def _waiting(queue: Queue[Row | threading.Event | None]) -> list[Row | threading.Event | None]:
    taken: list[Row | threading.Event | None] = []
    try:
        while len(taken) < _BATCH:
            taken.append(queue.get_nowait())
    except Empty:
        pass
    return taken


def _finish(queue: Queue[Row | threading.Event | None], thread: threading.Thread) -> None:
    try:
        queue.put(None, timeout=_LAST_WORD_S)
    except Full:
        return
    thread.join(_LAST_WORD_S)


def _storable(text: str) -> str:
    """Without lone surrogates, which SQLite cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")
