"""A file that is being fetched: its bytes so far, and which version of the file they are of."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hybridroute.edge_runtime import model_store
from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.edge_runtime.local_models import GGUF_MAGIC


@dataclass(frozen=True, slots=True, kw_only=True)
class FileVersion:
    """What the server said of the file when its first byte came: ``total`` is in bytes."""

    validator: str = ""
    total: int | None = None


class PartFile:
    """The bytes collected so far, and the version they are of."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._record = path.with_suffix(".part.json")

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    @property
    def version(self) -> FileVersion:
        """What the bytes are of; all unknown where the record is missing or damaged."""
        with contextlib.suppress(OSError, ValueError, TypeError):
            held = FileVersion(**json.loads(self._record.read_text(encoding="utf-8")))
            if isinstance(held.validator, str) and isinstance(held.total, int | None):
                return held
        return FileVersion()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing."""
        return self.size > 0 and self.size == self.version.total

    @contextlib.contextmanager
    def faults_told(self) -> Iterator[None]:
        """Map what the disk raises."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            yield
        except OSError as exc:
            raise ModelMissing(
                f"{self.path.parent} cannot be written ({exc.strerror}); free space there, or set "
                "HYBRIDROUTE_CACHE to another folder, and run the same command again: it goes on "
                f"from {in_mb(self.size)}"
            ) from exc

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep another process from collecting into the same file, where the system can."""
        try:
            import fcntl
        except ImportError:
            yield
            return
        with self.path.open("ab") as mine:
            try:
                fcntl.flock(mine.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise ModelMissing(
                    "another process is pulling this URL; wait until it is done"
                ) from exc
            try:
                yield
            finally:
                if not self.size:
                    self.path.unlink(missing_ok=True)

    def begin_again(self, version: FileVersion) -> None:
        """Empty it, for another version of the file."""
        with self.path.open("wb"):
            self.note(version)

    def note(self, version: FileVersion) -> None:
        """Record what the bytes are of."""
        model_store.write_atomically(self._record, json.dumps(asdict(version)))

    def first_bytes(self) -> bytes:
        """As many as tell a GGUF file, or as there are."""
        with self.path.open("rb") as held:
            return held.read(len(GGUF_MAGIC))

    def drop(self) -> None:
        """Delete it."""
        self.path.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def put_in_place(self, target: Path) -> None:
        """Give it its name, in one step."""
        self.path.replace(target)
        self._record.unlink(missing_ok=True)


def in_mb(count: int) -> str:
    """A size for a message."""
    return f"{count / 1e6:.1f} MB"
