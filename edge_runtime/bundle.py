"""A bundle is a folder that is a trained router: read it, verify it, write it atomically."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.manifest import FileRecord, Manifest

if TYPE_CHECKING:
    from hybridroute.edge_runtime.onnx_scorer import OnnxScorer

MANIFEST = "manifest.json"
MODEL = "router.onnx"
TOKENIZER = "tokenizer.json"
CARD = "README.md"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle on disk.

    Make one with :meth:`load` or :meth:`write`; both have checked every file's SHA-256.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def load(cls, path: str | Path) -> Bundle:
        """Read a bundle and check every file against the manifest.

        Raises
        ------
        BundleError
            If the folder is no bundle, a file is missing or altered, or the schema is newer.
        """
        folder = Path(path)
        try:
            text = (folder / MANIFEST).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise BundleError(
                f"no bundle at {folder}: {MANIFEST} cannot be read ({exc}). Give the folder that "
                "`hybridroute train --out` wrote, or leave the bundle out to use the default"
            ) from exc
        bundle = cls(folder, Manifest.from_json(text))
        missing = {MODEL, TOKENIZER} - set(bundle.manifest.files)
        if missing:
            raise BundleError(f"{folder / MANIFEST} lists no {sorted(missing)}; make it again")
        for name in bundle.manifest.files:
            bundle.read(name)
        return bundle

    @classmethod
    def write(cls, path: str | Path, manifest: Manifest, files: Mapping[str, bytes]) -> Bundle:
        """Write a bundle so that a reader sees the old folder or the new one, never a mixture.

        Parameters
        ----------
        path : path
            The bundle's folder. An older bundle there is replaced; any other folder is refused.
        manifest : Manifest
            Its ``files`` are filled in here.
        files : mapping of str to bytes
            At least ``router.onnx``, ``tokenizer.json`` and ``README.md``.

        Raises
        ------
        BundleError
            If the place holds something that is not a bundle, or cannot be written.
        """
        folder = Path(path)
        if folder.exists() and not _replaceable(folder):
            raise BundleError(f"{folder} exists and is not a bundle; give another folder")
        records = {
            name: FileRecord(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
            for name, data in sorted(files.items())
        }
        sealed = replace(manifest, files=records)
        try:
            _write_folder(folder, {**files, MANIFEST: sealed.to_json().encode("utf-8")})
        except OSError as exc:
            raise BundleError(f"cannot write the bundle to {folder}: {exc}") from exc
        return cls(folder, sealed)

    def read(self, name: str) -> bytes:
        """The bytes of one file, checked against the manifest.

        Raises
        ------
        BundleError
            If the file is not listed, missing or altered.
        """
        record = self.manifest.files.get(name)
        if record is None or Path(name).name != name:
            raise BundleError(f"{name!r} is not a file of the bundle at {self.path}")
        try:
            data = (self.path / name).read_bytes()
        except OSError as exc:
            raise BundleError(f"{self.path / name} cannot be read: {exc}") from exc
        found = hashlib.sha256(data).hexdigest()
        if found != record.sha256:
            raise BundleError(
                f"{self.path / name} was altered: its sha256 is {found}, the manifest says "
                f"{record.sha256}. Fetch or make the bundle again"
            )
        return data

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models the bundle was calibrated for, in the order edge, cloud."""
        return tuple(arm.model for arm in self.manifest.arms)

    def scorer(self, *, threads: int = 2) -> OnnxScorer:
        """Load the router's model.

        Parameters
        ----------
        threads : int
            Threads of one scoring call.
        """
        from hybridroute.edge_runtime.onnx_scorer import OnnxScorer

        return OnnxScorer.from_bundle(self, threads=threads)


def default_bundle_path() -> Path:
    """Where the bundle that comes with the package lies."""
    from importlib.resources import files

    return Path(str(files("hybridroute"))) / "bundles" / "default"


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir()))


def _write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fresh.chmod(0o755)
        for name, data in files.items():
            with (fresh / name).open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        _swap(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, folder: Path) -> None:
    if not folder.exists():
        fresh.rename(folder)
        return
    # Two renames: a folder cannot be replaced by a rename while it holds files. A crash between
    # them leaves the old bundle beside, whole, under a name that says what it is.
    old = folder.with_name(f".{folder.name}-replaced-{os.getpid()}")
    folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
