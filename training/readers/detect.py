"""Reading outcome files of any known kind, recognised by what stands in them."""

from __future__ import annotations

import csv
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import OutcomeTable, joined
from hybridroute.training.readers.canonical import read_canonical
from hybridroute.training.readers.mixinstruct import read_mixinstruct
from hybridroute.training.readers.routellm import read_routellm
from hybridroute.training.readers.routerbench import read_routerbench
from hybridroute.training.readers.routerdc import read_routerdc

Reader = Callable[[Path], OutcomeTable]

_KINDS = "canonical or MixInstruct JSON lines, RouteLLM CSV, RouterDC JSON, RouterBench CSV"
_SUFFIXES = frozenset({".csv", ".json", ".jsonl", ".ndjson"})
_HEAD = 65536

log = logging.getLogger(__name__)


def read_outcomes(paths: Iterable[Path | str]) -> OutcomeTable:
    """Read files, or all files of a known kind in folders (sorted by name), into one table.

    Files with another ending in a folder are passed over; one with a known ending that is of no
    known kind is passed over with a warning in the log. What is no regular file, such as a pipe,
    is read to its end once.

    Raises
    ------
    DataError
        If a path does not exist, a named file is of no known kind, a folder holds none, or a line
        is bad.
    """
    tables = [table for path in paths for table in _tables(Path(path))]
    if not tables:
        raise DataError("no outcome files were named; give at least one file or folder")
    return joined(tables)


def _tables(path: Path) -> list[OutcomeTable]:
    if not path.exists():
        raise DataError(f"{path} does not exist; check the path")
    if path.is_file() or path.is_dir():
        return [reader(file) for file, reader in _files(path)]
    with tempfile.TemporaryDirectory() as folder:
        copy = _copied(path, Path(folder))
        try:
            return [reader(file) for file, reader in _files(copy)]
        except DataError as exc:  # a person knows the pipe, not its copy
            raise DataError(str(exc).replace(str(copy), str(path))) from exc


def _copied(stream: Path, folder: Path) -> Path:
    """A copy of what a pipe gives: its bytes come once, and are looked at twice."""
    copy = folder / stream.name
    try:
        with stream.open("rb") as given, copy.open("wb") as kept:
            shutil.copyfileobj(given, kept)
    except OSError as exc:
        raise DataError(f"{stream} cannot be read ({exc.strerror}); save it to a file") from exc
    if not copy.stat().st_size:
        raise DataError(f"{stream} gave nothing; check what writes to it")
    return copy


def _files(path: Path) -> list[tuple[Path, Reader]]:
    if not path.is_dir():
        reader = reader_for(path)
        if reader is None:
            raise DataError(f"{path} is of no known kind; give one of: {_KINDS}")
        return [(path, reader)]
    found = []
    for file in sorted(path.iterdir()):
        if file.suffix.lower() not in _SUFFIXES or not file.is_file():
            continue
        reader = reader_for(file)
        if reader is None:
            log.warning("%s is of no known kind and is left out", file)
        else:
            found.append((file, reader))
    if not found:
        raise DataError(f"{path} holds no outcome files; give one of: {_KINDS}")
    return found


def reader_for(path: Path) -> Reader | None:
    """The reader for one file, by its ending and first bytes; None if it is of no known kind.

    Raises
    ------
    DataError
        If the file cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD).decode("utf-8-sig", errors="replace").lstrip()
    except OSError as exc:
        raise DataError(f"{path} cannot be read ({exc.strerror}); check the path") from exc
    if _is_mixinstruct(head):
        return read_mixinstruct
    if path.suffix.lower() in (".jsonl", ".ndjson"):
        return read_canonical
    if head.startswith("{"):
        return read_canonical if '"arms"' in head else None
    if head.startswith("["):
        return read_routerdc if '"scores"' in head else None
    return _reader_for_header(next(csv.reader([head.split("\n", 1)[0]]), []))


def _is_mixinstruct(head: str) -> bool:
    wanted = all(f'"{key}"' in head for key in ("instruction", "candidates"))
    return head.startswith("{") and wanted and '"arms"' not in head


def _reader_for_header(columns: list[str]) -> Reader | None:
    names = [name.strip() for name in columns]
    if "prompt" not in names:
        return None
    if "eval_name" in names and any(name.endswith("|model_response") for name in names):
        return read_routerbench
    arms = [name for name in names if name not in ("prompt", "")]
    return read_routellm if arms else None
