"""Decisions in an SQLite file, written by a thread of its own: answers never wait for the disk."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
import threading
import weakref
from contextlib import closing
from pathlib import Path
from queue import Empty, Full, Queue

from hybridroute.answered import Answered
from hybridroute.decision_log_file import Row, open_log, write_rows
from hybridroute.edge_runtime.bundle import MODEL, Bundle
from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.routed_text import routed_text

_log = logging.getLogger(__name__)

_WAITING = 10_000
_BATCH = 500
_LAST_WORD_S = 5.0


class _Tally:
    """A count that several threads add to."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.total = 0

    def add(self, more: int) -> int:
        """Add; gives the total."""
        with self._lock:
            self.total += more
            return self.total


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
        self._crowded, self._unwritten = _Tally(), _Tally()
        self._queue: Queue[Row | threading.Event | None] = Queue(_WAITING)
        try:
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            held = open_log(self.path, wait_s=_LAST_WORD_S)
        except (OSError, sqlite3.Error) as exc:
            raise ConfigError(
                f"the decision log {self.path} cannot be opened ({exc}); name another file"
            ) from exc
        thread = threading.Thread(
            target=_write_all,
            args=(self.path, held, self._queue, self._unwritten),
            name="hybridroute-log",
            daemon=True,
        )
        thread.start()
        # Also writes what waits when the log is dropped, or the program ends, unclosed.
        self._finish = weakref.finalize(self, _finish, self._queue, thread)

    @property
    def dropped(self) -> int:
        """Requests that were not written: too many waited, or the file could not hold them."""
        return self._crowded.total + self._unwritten.total

    def listen(self, answered: Answered) -> None:
        """Note one finished request; never waits."""
        if not self._finish.alive:
            return
        try:
            self._queue.put_nowait(self._row(answered))
        except Full:
            if self._crowded.add(1) == 1:
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
    file = Path(path)
    if not file.is_file():
        raise DataError(f"there is no file {file}; give the decision log's path")
    try:
        # Connecting by a plain path would make the file, were it gone by now.
        with (
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)) as held,
            held,
        ):
            asked = "SELECT arm FROM decisions WHERE id = ?"
            found = held.execute(asked, (_storable(id),)).fetchone()
            if not found:
                raise DataError(f"{file} holds no decision {id!r}; give the id of a Decision")
            values = (id, found[0] if arm is None else arm, quality)
            held.execute("INSERT OR REPLACE INTO labels VALUES (?, ?, ?)", values)
    except sqlite3.Error as exc:
        raise DataError(f"the decision log {file} cannot be written: {exc}") from exc


def _write_all(
    path: Path,
    held: sqlite3.Connection,
    queue: Queue[Row | threading.Event | None],
    unwritten: _Tally,
) -> None:
    """The writing thread: whatever waits, in one transaction each time."""
    is_open = True
    while is_open:
        taken = [queue.get(), *_waiting(queue)]
        rows = [item for item in taken if isinstance(item, tuple)]
        try:
            unwritten.add(write_rows(held, rows, path))
        except sqlite3.Error as exc:
            unwritten.add(len(rows))
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
