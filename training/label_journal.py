"""Rows labelled so far, on disk beside the table to come: a run that is killed goes on from them.

``OUT.partial`` begins with a line that states the run's arguments. Each further line is one row:
a digest of the prompt and its answers, and the row as it will stand in the table. So a row is
found again by what was judged, wherever it stands in the input now.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from hybridroute.edge_runtime.chat import plain
from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.answers import AnsweredPrompt
from hybridroute.training.line_log import LineLog
from hybridroute.training.outcomes import Outcome
from hybridroute.training.readers.canonical import outcome_line, parse_outcome

_KIND = "hybridroute label"
_VERSION = 1
_DIGITS = 32


class LabelJournal:
    """The journal of one outcome table, by one process at a time. Use as a context manager.

    It is removed by ``remove``, and where it holds no row; else it stays for the next run. Digests
    and places are in memory, rows are not.

    Parameters
    ----------
    out : Path
        The outcome table to come.
    arguments : mapping
        What the labels depend on beside the answers, ready for JSON.

    Raises
    ------
    ConfigError
        If it was begun with other arguments.
    DataError
        If the file is something else, cannot be read or written, or another process writes it.
    """

    def __init__(self, out: Path, arguments: Mapping[str, Any]) -> None:
        self.path = out.with_name(f"{out.name}.partial")
        self._arguments = json.loads(json.dumps(arguments))  # as they will be read back
        self._places: dict[str, int] = {}
        self._log = LineLog(self.path)
        try:
            self._take_up()
        except BaseException:
            self._log.close()
            raise

    def __len__(self) -> int:
        """Rows it holds."""
        return len(self._places)

    def __contains__(self, digest: str) -> bool:
        return digest in self._places

    def add(self, digest: str, row: Outcome) -> None:
        """Write one row through to the file.

        Raises
        ------
        DataError
            If it cannot be written; what was written before stays.
        """
        self._places[digest] = self._log.append(digest.encode() + b" " + outcome_line(row))

    def rows(self, digests: Iterable[str]) -> Iterator[Outcome]:
        """Rows read back, in the order of ``digests``, one at a time.

        Raises
        ------
        DataError
            If the file cannot be read any more.
        """
        try:
            with self.path.open("rb") as file:
                for digest in digests:
                    file.seek(self._places[digest])
                    yield parse_outcome(json.loads(file.readline()[_DIGITS + 1 :]))
        except OSError as exc:
            raise self._unreadable(exc.strerror or str(exc)) from exc
        except ValueError as exc:
            raise self._unreadable(str(exc)) from exc

    def remove(self) -> None:
        """Close it, and delete the file."""
        self._log.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._log.close()
        if not self._places:
            self.path.unlink(missing_ok=True)

    def _take_up(self) -> None:
        first = (json.dumps({"kind": _KIND, "version": _VERSION} | self._arguments) + "\n").encode()
        with self.path.open("rb") as file:
            held = file.readline()
            if first.startswith(held) and held != first:  # new, or killed in its first line
                self._log.append(first)
                return
            self._check(held)
            place = file.tell()
            for line in file:
                if line.endswith(b"\n"):  # else a kill cut it off
                    self._places[line[:_DIGITS].decode("ascii", "replace")] = place
                    place += len(line)

    def _check(self, line: bytes) -> None:
        try:
            held = json.loads(line)
            known = (held.pop("kind"), held.pop("version")) == (_KIND, _VERSION)
        except (ValueError, KeyError, TypeError, AttributeError):
            known = False
        if not known:
            raise DataError(f"{self.path} holds something else; move it, or choose another --out")
        changed = [
            f"{name} was {held.get(name)!r} and is {self._arguments.get(name)!r}"
            for name in {**held, **self._arguments}
            if held.get(name) != self._arguments.get(name)
        ]
        if changed:
            raise ConfigError(
                f"{self.path} was begun with other arguments: {'; '.join(changed)}. Give the same "
                "to go on, or delete it to begin again"
            )

    def _unreadable(self, why: str) -> DataError:
        return DataError(f"{self.path} cannot be read ({why}); delete it to begin again")


def digest_of(row: AnsweredPrompt) -> str:
    """32 hex digits of all that a row's outcome is made of, but for where it stands."""
    arms = {
        name: [arm.responses, arm.given, arm.cost_usd, arm.latency_ms, arm.extra]
        for name, arm in row.arms.items()
    }
    content = [row.id, plain(row.prompt), row.domain, row.reference, plain(arms), plain(row.extra)]
    text = json.dumps(content, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]
