"""A file that is being fetched: its bytes, its version, and that one process collects them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.model_part import FileVersion, PartFile, in_mb

VERSION = FileVersion(validator='"abc"', total=6)


@pytest.fixture
def part(tmp_path: Path) -> PartFile:
    return PartFile(tmp_path / "m.gguf.part")


def names(part: PartFile) -> set[str]:
    return {path.name for path in part.path.parent.iterdir()}


def test_nothing_is_there_at_first(part: PartFile) -> None:
    assert (part.size, part.version, part.is_whole) == (0, FileVersion(), False)
    part.drop()


def test_bytes_and_version_are_found_again(part: PartFile) -> None:
    part.begin_again(VERSION)
    part.path.write_bytes(b"GGU")
    again = PartFile(part.path)
    assert (again.size, again.version, again.is_whole) == (3, VERSION, False)
    assert again.first_bytes() == b"GGU"
    part.path.write_bytes(b"GGUF12")
    assert again.is_whole
    assert again.first_bytes() == b"GGUF"


def test_a_file_of_unknown_or_no_length_is_never_whole(part: PartFile) -> None:
    for total in (None, 0):
        part.begin_again(FileVersion(validator="x", total=total))
        assert not part.is_whole
    part.path.write_bytes(b"x")
    assert not part.is_whole


def test_beginning_again_forgets_the_bytes_of_another_version(part: PartFile) -> None:
    part.begin_again(VERSION)
    part.path.write_bytes(b"GGUF")
    other = FileVersion(validator="other", total=9)
    part.begin_again(other)
    assert (part.size, part.version) == (0, other)


@pytest.mark.parametrize(
    "record",
    ["", "{", "[]", "5", '{"validator": 5, "total": 6}', '{"total": "6"}', '{"more": 1}', "\x00"],
)
def test_a_damaged_record_is_an_unknown_version(part: PartFile, record: str) -> None:
    part.begin_again(VERSION)
    (file,) = [path for path in part.path.parent.iterdir() if path != part.path]
    file.write_text(record)
    assert part.version == FileVersion()


def test_putting_it_in_place_or_dropping_it_leaves_nothing_behind(part: PartFile) -> None:
    part.begin_again(VERSION)
    part.path.write_bytes(b"GGUF12")
    target = part.path.parent / "m.gguf"
    part.put_in_place(target)
    assert (names(part), target.read_bytes()) == ({"m.gguf"}, b"GGUF12")
    part.begin_again(VERSION)
    part.drop()
    assert names(part) == {"m.gguf"}


def test_two_collectors_of_one_file_do_not_meet(part: PartFile) -> None:
    pytest.importorskip("fcntl")
    told = pytest.raises(ModelMissing, match="another process is pulling this URL")
    with part.locked(), told, PartFile(part.path).locked():
        pass
    with PartFile(part.path).locked():
        part.path.write_bytes(b"x")
    assert part.size == 1, "what was collected stays"


def test_a_lock_that_collected_nothing_leaves_no_file(part: PartFile) -> None:
    with part.locked():
        pass
    assert names(part) == set()


def test_what_the_disk_raises_is_told_with_how_far_it_came(part: PartFile) -> None:
    part.path.write_bytes(b"x" * 2_500_000)
    told = pytest.raises(ModelMissing, match=r"HYBRIDROUTE_CACHE.*goes on from 2\.5 MB")
    with told, part.faults_told():
        raise OSError(28, "No space left on device")
    with part.faults_told(), PartFile(part.path.parent / "new" / "m.part").faults_told():
        assert (part.path.parent / "new").is_dir()
    assert in_mb(0) == "0.0 MB"
