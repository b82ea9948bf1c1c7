"""A file of lines while it is written, killed and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.line_log import LineLog


def test_lines_are_there_as_soon_as_they_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "r.jsonl"
    with LineLog(path) as log:
        assert log.append(b"one\n") == 0
        assert path.read_bytes() == b"one\n"
        assert log.append(b"two\n") == 4
    with LineLog(path) as log:
        assert log.append(b"three\n") == 8
    assert path.read_bytes() == b"one\ntwo\nthree\n"


@pytest.mark.parametrize("cut", [1, 30, 199_000])
def test_a_line_that_was_cut_off_is_mended_by_the_next_one(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(b"one\n" + (b"x" * 200_000 + b"\n")[:-cut])
    with LineLog(path) as log:
        assert log.append(b"two\n") == 4
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with LineLog(path), pytest.raises(DataError, match="being written by another process"):
        LineLog(path)
    LineLog(path).close()


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """Lets this process write files of so many bytes and no more, as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, small_disk: Callable[[int], None]) -> None:
    path = tmp_path / "r.jsonl"
    small_disk(6)
    with LineLog(path) as log:
        log.append(b"one\n")
        with pytest.raises(DataError, match=r"cannot be written \(.*free space.*run the same"):
            log.append(b"two\n")
    small_disk(10**9)
    assert path.read_bytes() == b"one\n"
    with LineLog(path) as log:
        log.append(b"two\n")
    assert path.read_bytes() == b"one\ntwo\n"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        LineLog(tmp_path / "file" / "r.jsonl")
    with pytest.raises(DataError, match="is not a plain file"):
        LineLog(tmp_path)
