"""A file of lines while it is written: appended line by line, taken up again after a kill."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from hybridroute.edge_runtime.errors import DataError

log = logging.getLogger(__name__)

_BLOCK = 65536
# Without O_BINARY, Windows would write two bytes for a line feed.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)


class LineLog:
    """A file of lines open for appending, by one process at a time. Use as a context manager.

    A last line that a kill cut off is removed before the first new one is written.

    Raises
    ------
    DataError
        If the file cannot be written, or another process is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._end: int | None = None
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is not a plain file; choose another place")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, _FLAGS, 0o666)
        except OSError as exc:
            raise self._failed(exc) from exc
        try:
            self._lock()
        except BaseException:
            os.close(self._file)
            raise

    def append(self, line: bytes) -> int:
        """Write one line, whole or not at all; its line feed is part of ``line``.

        Returns
        -------
        int
            Where in the file the line begins.

        Raises
        ------
        DataError
            If the disk is full or fails; what was written before stays.
        """
        try:
            # Not when it is opened: the file may turn out to be another kind of file.
            start = self._end = self._repaired() if self._end is None else self._end
            written = os.write(self._file, line)
            while written < len(line):
                written += os.write(self._file, line[written:])
        except OSError as exc:
            self._cut_back()
            raise self._failed(exc) from exc
        self._end = start + len(line)
        return start

    def close(self) -> None:
        """Hand everything to the disk and close; safe to call twice."""
        handle, self._file = self._file, -1
        if handle < 0:
            return
        try:
            os.fsync(handle)
        except OSError as exc:
            log.warning("%s may not be on the disk yet (%s)", self.path, exc.strerror)
        finally:
            os.close(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _lock(self) -> None:
        try:
            import fcntl
        except ImportError:  # Windows: two writers are the user's to avoid
            return
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise DataError(
                f"{self.path} is being written by another process; wait for it, or give another "
                "--out"
            ) from exc

    def _repaired(self) -> int:
        """Cut a last line without its line feed off; the file's length then."""
        end = os.lseek(self._file, 0, os.SEEK_END)
        keep = self._after_last_line_feed(end)
        if keep < end:
            log.warning("%s: its last line was cut off by a kill and is removed", self.path)
            os.ftruncate(self._file, keep)
        return keep

    def _after_last_line_feed(self, end: int) -> int:
        start = end
        while start > 0:
            begin = max(0, start - _BLOCK)
            os.lseek(self._file, begin, os.SEEK_SET)
            found = os.read(self._file, start - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            start = begin
        return 0

    def _cut_back(self) -> None:
        try:
            if self._end is not None:
                os.ftruncate(self._file, self._end)
        except OSError as exc:
            log.warning("%s: half a line may stand at its end (%s)", self.path, exc.strerror)

    def _failed(self, exc: OSError) -> DataError:
        return DataError(
            f"{self.path} cannot be written ({exc.strerror}); free space or choose another place, "
            "and run the same command again: it goes on where it stopped"
        )
