"""A bundle is a folder that is a trained router: read it, verify it, write it atomically."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.manifest import FileRecord, Manifest, check_file_name

if TYPE_CHECKING:
    from hybridroute.edge_runtime.onnx_scorer import OnnxScorer

MANIFEST = "manifest.json"
MODEL = "router.onnx"
TOKENIZER = "tokenizer.json"
CARD = "README.md"
PACKAGED = ("default", "demo")
"""The bundles that come with the package, by name: the one taken if none is named, the demo's."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle on disk.

    Make one with :meth:`load` or :meth:`write`; both have checked every file's SHA-256.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a bundle and check every file against the manifest.

        Parameters
        ----------
        path : path
            Its folder; or, where there is no such folder, the name of one that comes with the
            package, see :data:`PACKAGED`.

        Raises
        ------
        BundleError
            If the folder is no bundle, a file is missing or altered, or the schema is newer.
        """
        folder = _folder_of(path)
        try:
            text = (folder / MANIFEST).read_text(encoding="utf-8")
        except (OSError, ValueError) as exc:  # ValueError: not UTF-8, or a NUL in the path
            raise BundleError(
                f"no bundle at {folder}: {MANIFEST} cannot be read ({exc}). Give the folder that "
                f"`hybridroute train --out` wrote, or a packaged one's name: {', '.join(PACKAGED)}"
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
            If the place holds something that is not a bundle, a file is missing or has no plain
            name, or it cannot be written.
        """
        folder = check_place(path)
        missing = sorted({MODEL, TOKENIZER, CARD} - set(files))
        if missing:
            raise BundleError(f"a bundle needs {missing} too; give them")
        for name in files:
            check_file_name(name)
        records = {
            name: FileRecord(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
            for name, data in sorted(files.items())
        }
        sealed = replace(manifest, files=records)
        try:
            _write_folder(folder, {**files, MANIFEST: sealed.to_json().encode("utf-8")})
        except OSError as exc:
            raise BundleError(f"cannot write the bundle to {folder}: {exc}") from exc
        return cls(Path(path), sealed)

    def read(self, name: str) -> bytes:
        """The bytes of one file, checked against the manifest.

        Raises
        ------
        BundleError
            If the file is not listed, missing or altered.
        """
        record = self.manifest.files.get(name)
        if record is None:
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

    def save_pretrained(self, folder: str | Path) -> Bundle:
        """Copy the bundle, every file checked; the folder can be put on a hub as it is.

        The manifest is written as it is in memory, which may be newer than the one on the disk.

        Raises
        ------
        BundleError
            As :meth:`read` and :meth:`write`.
        """
        files = {name: self.read(name) for name in self.manifest.files}
        return Bundle.write(folder, self.manifest, files)

    @property
    def model_names(self) -> tuple[str, ...]:
        """The models the bundle was calibrated for, in the order edge, cloud."""
        return tuple(arm.model for arm in self.manifest.arms)

    def scorer(self, *, threads: int = 2, spins: bool = True) -> OnnxScorer:
        """Load the router's model.

        Parameters
        ----------
        threads : int
            Threads of one scoring call.
        spins : bool
            See :class:`OnnxScorer`.
        """
        from hybridroute.edge_runtime.onnx_scorer import OnnxScorer

        return OnnxScorer.from_bundle(self, threads=threads, spins=spins)


def check_place(path: str | Path) -> Path:
    """The folder that a bundle written to ``path`` will be, links resolved; nothing is written.

    Raises
    ------
    BundleError
        If something that is not a bundle stands there, it is the current folder, or no folder can
        be made there.
    """
    try:
        folder = Path(path).resolve()
        held = folder.exists()
    except (OSError, ValueError, RuntimeError) as exc:
        raise BundleError(f"cannot write a bundle to {str(path)!r}: {exc}") from exc
    if folder in (Path.cwd(), *Path.cwd().parents):
        raise BundleError(f"{folder} is the current folder or holds it; give another folder")
    if held and not _replaceable(folder):
        raise BundleError(f"{folder} exists and is not a bundle; give another folder")
    parent = next(place for place in folder.parents if place.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
        raise BundleError(f"no folder can be made in {parent}; give another one for the bundle")
    return folder


def packaged_bundle_path(name: str) -> Path:
    """Where a bundle of :data:`PACKAGED` lies."""
    from importlib.resources import files

    return Path(str(files("hybridroute"))) / "bundles" / name


def default_bundle_path() -> Path:
    """Where the bundle lies that is taken if none is named."""
    return packaged_bundle_path("default")


def _folder_of(path: str | Path) -> Path:
    folder = Path(path)
    is_name = str(path) in PACKAGED and not folder.is_dir()
    return packaged_bundle_path(str(path)) if is_name else folder


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
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-replaced-", dir=folder.parent))
    old = aside / folder.name
    try:
        folder.rename(old)
        fresh.rename(folder)
    except BaseException:
        if old.exists() and not folder.exists():
            old.rename(folder)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)
