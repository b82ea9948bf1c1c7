"""Writing an outcome table row by row; the file appears whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import Outcome
from hybridroute.training.readers.canonical import outcome_line


class OutcomeWriter:
    """A context manager: rows go to a temporary file, which takes the name on a clean exit.

    Raises
    ------
    DataError
        If the file cannot be written (disk full, no such folder), or a row has no JSON form.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._temporary = path

    def __enter__(self) -> Self:
        try:
            handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        except OSError as exc:
            raise self._failed(exc) from exc
        self._temporary = Path(name)
        self._file = os.fdopen(handle, "wb")
        return self

    def write(self, row: Outcome) -> None:
        """Add one row."""
        assert self._file is not None  # noqa: S101 (entered)
        line = outcome_line(row)
        try:
            self._file.write(line)
        except OSError as exc:
            raise self._failed(exc) from exc

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._file is not None  # noqa: S101 (entered)
        try:
            self._file.close()
            if kind is None:
                self._temporary.replace(self._path)
        except OSError as exc:
            if kind is None:
                raise self._failed(exc) from exc
        finally:
            self._temporary.unlink(missing_ok=True)

    def _failed(self, exc: OSError) -> DataError:
        return DataError(
            f"{self._path} cannot be written ({exc.strerror}); free some space or choose another "
            "place"
        )
