"""The header of a GGUF file: enough to tell a model from a file that only begins like one.

It is ``GGUF``, then in little-endian order the version (4 bytes), the number of tensors and the
number of metadata pairs (8 bytes each); see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from pathlib import Path

from hybridroute.edge_runtime.errors import ModelMissing

_HEADER = struct.Struct("<4sIQQ")
_VERSIONS = (2, 3)
_LEAST_OF_PAIR = 13
"""A metadata pair's bytes with an empty key: the key's length (8), a type (4), a value (1)."""
_LEAST_OF_TENSOR = 32
"""A tensor's: its name's length (8), dimensions (4 and one of 8), type (4), offset (8)."""


def check_header(path: Path) -> None:
    """Refuse a GGUF file that holds no model.

    Raises
    ------
    ModelMissing
        If the version is not one that llama.cpp reads, there are no tensors or no metadata, or the
        file is too short for as many as it says.
    """
    try:
        with path.open("rb") as source:
            head = source.read(_HEADER.size)
        size = path.stat().st_size
    except OSError as exc:
        raise ModelMissing(f"{path} cannot be read ({exc}); give a GGUF file") from exc
    why = _fault(head, size)
    if why is not None:
        raise ModelMissing(f"{path} is not a whole GGUF model: {why}; fetch or convert it again")


def _fault(head: bytes, size: int) -> str | None:
    if len(head) < _HEADER.size:
        return f"it has {size} bytes, and its header alone takes {_HEADER.size}"
    _, version, tensors, pairs = _HEADER.unpack(head)
    if version not in _VERSIONS:
        return f"its version is {version}, and 2 and 3 are known"
    for count, what in ((tensors, "tensors"), (pairs, "metadata")):
        if count == 0:
            return f"it holds no {what}"
    least = _HEADER.size + tensors * _LEAST_OF_TENSOR + pairs * _LEAST_OF_PAIR
    if size < least:
        return f"it has {size} bytes, too few for its {tensors} tensors and {pairs} metadata pairs"
    return None
