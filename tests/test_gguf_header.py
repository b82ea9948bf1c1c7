"""What of a GGUF file's header shows that it holds a model."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.edge_runtime.gguf_header import check_header


def header(version: int = 3, tensors: int = 2, pairs: int = 3) -> bytes:
    return struct.pack("<4sIQQ", b"GGUF", version, tensors, pairs)


@pytest.mark.parametrize("version", [2, 3])
def test_a_model_passes(tmp_path: Path, version: int) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(header(version) + bytes(2 * 32 + 3 * 13))
    check_header(file)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GGUF", "it has 4 bytes, and its header alone takes 24"),
        (b"GGUF" + bytes(500), "its version is 0, and 2 and 3 are known"),
        (header(version=1) + bytes(500), "its version is 1"),
        (header(version=3 << 24) + bytes(500), "its version is 50331648"),  # the other byte order
        (header(tensors=0) + bytes(500), "it holds no tensors"),
        (header(pairs=0) + bytes(500), "it holds no metadata"),
        (header() + bytes(2 * 32 + 3 * 13 - 1), "126 bytes, too few for its 2 tensors and 3"),
        (header(tensors=2**63) + bytes(500), "too few"),
    ],
)
def test_what_holds_no_model_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    file = tmp_path / "m.gguf"
    file.write_bytes(data)
    with pytest.raises(ModelMissing, match=said) as caught:
        check_header(file)
    assert str(file) in str(caught.value)
    assert str(caught.value).endswith("fetch or convert it again")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="cannot be read"):
        check_header(tmp_path / "none.gguf")
