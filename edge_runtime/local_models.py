"""GGUF files of the user's own, remembered by name.

Each has one small JSON file in the cache, so that two processes that remember a model at the same
time lose neither.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from hybridroute.edge_runtime import model_store
from hybridroute.edge_runtime.errors import ConfigError, ModelMissing
from hybridroute.edge_runtime.gguf_header import check_header
from hybridroute.edge_runtime.known_models import REGISTRY

GGUF_MAGIC = b"GGUF"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """One remembered file.

    Parameters
    ----------
    name : str
        What ``--edge`` and the models' commands call it.
    path : str
        The file.
    bytes : int
    sha256 : str
        What the file had when it was remembered.
    source : str
        Where it came from, for the list: a URL without its query, or "" for a file of the user's.
    owned : bool
        Whether the file lies in the cache and goes away with its name.
    """

    name: str
    path: str
    bytes: int
    sha256: str
    source: str = ""
    owned: bool = False


def models_folder() -> Path:
    """Where fetched and joined model files lie; it need not exist."""
    return model_store.cache_folder() / "models"


def local_models() -> tuple[LocalModel, ...]:
    """Every remembered model, by name; a damaged record is left out."""
    found = (_read(path) for path in sorted(_records().glob("*.json")))
    return tuple(model for model in found if model is not None)


def local_model(name: str) -> LocalModel | None:
    """The model of that name, or None."""
    if not _NAME.fullmatch(name):
        return None
    found = _read(_record(name))
    # A file system may hold "A.json" to be "a.json".
    return found if found is not None and found.name == name else None


def check_name(name: str, way_out: str = "give another name") -> str:
    """``name``, if a model may have it; ``way_out`` says how another is given.

    Raises
    ------
    ConfigError
        If it is not plain, looks like a file, or is a registered model's.
    """
    if not _NAME.fullmatch(name) or name.lower().endswith(".gguf"):
        raise ConfigError(
            f"{name!r} cannot be a model's name; give 1 to 80 letters, digits, '.', '_' or '-', "
            "not ending in .gguf"
        )
    if name.lower() in REGISTRY:
        raise ConfigError(f"{name!r} is the name of a registered model; {way_out}")
    return name


def name_from(file: str) -> str:
    """A name made from a file's name: without ``.gguf``, odd characters as hyphens."""
    stem = file[:-5] if file.lower().endswith(".gguf") else file
    return _NOT_IN_A_NAME.sub("-", stem).strip("-._")[:80]


def add(name: str, path: Path) -> LocalModel:
    """Check a GGUF file, hash it and remember it by name; the file stays where it is.

    Raises
    ------
    ConfigError
        If the name is not fit, or is another file's.
    ModelMissing
        If there is no readable, whole GGUF file, or the cache cannot be written.
    """
    check_free(name, str(path.expanduser().absolute()))
    whole = path.expanduser().absolute()
    check_gguf(whole)
    check_header(whole)
    try:
        model = LocalModel(
            name=name,
            path=str(whole),
            bytes=whole.stat().st_size,
            sha256=model_store.sha256_of(whole),
        )
    except OSError as exc:
        raise ModelMissing(f"{whole} cannot be read: {exc.strerror}") from exc
    remember(model)
    return model


def check_free(name: str, path: str, way_out: str = "give another name") -> None:
    """Refuse a name that is unfit, or stands for another file already. Raises ConfigError."""
    held = _read(_record(check_name(name, way_out)))
    if held is not None and held.path != path:
        raise ConfigError(
            f"{held.name!r} is the name of {held.path} already; {way_out}, or run "
            f"`hybridroute models remove {held.name}` first"
        )


def check_gguf(path: Path) -> None:
    """Look at the file's first bytes. Raises ModelMissing if they are not GGUF's."""
    try:
        with path.open("rb") as source:
            magic = source.read(len(GGUF_MAGIC))
    except (OSError, ValueError) as exc:
        raise ModelMissing(f"{path} cannot be read ({exc}); give a GGUF file") from exc
    if magic != GGUF_MAGIC:
        raise ModelMissing(f"{path} is not a GGUF file (it does not begin with 'GGUF')")


def remember(model: LocalModel) -> None:
    """Write the record whole or not at all; an older one of that name is replaced.

    Raises
    ------
    ModelMissing
        If the cache cannot be written.
    """
    text = json.dumps(asdict(model), ensure_ascii=False, indent=1) + "\n"
    try:
        model_store.write_atomically(_record(model.name), text)
    except OSError as exc:
        raise ModelMissing(
            f"{_records()} cannot be written ({exc.strerror}); set HYBRIDROUTE_CACHE to a folder "
            "that can"
        ) from exc
    model_store.remember_sha256(Path(model.path), model.sha256)


def remove(name: str) -> LocalModel:
    """Forget a model; its file is deleted only if it lies in the cache.

    Raises
    ------
    ConfigError
        If no such model is remembered.
    ModelMissing
        If the file cannot be deleted.
    """
    held = local_model(name)
    if held is None:
        hint = "; it comes in packages: pip uninstall them" if name in REGISTRY else ""
        known = ", ".join(model.name for model in local_models()) or "none"
        raise ConfigError(f"no model of yours is called {name!r} (there are: {known}){hint}")
    try:
        if held.owned:
            Path(held.path).unlink(missing_ok=True)
        _record(name).unlink(missing_ok=True)
    except OSError as exc:
        raise ModelMissing(f"{held.path} cannot be removed: {exc.strerror}") from exc
    return held


def _records() -> Path:
    return model_store.cache_folder() / "local-models"


def _record(name: str) -> Path:
    return _records() / f"{name}.json"


def _read(path: Path) -> LocalModel | None:
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        model = LocalModel(**held)
    except (OSError, ValueError, TypeError):
        return None
    kinds = {"name": str, "path": str, "bytes": int, "sha256": str, "source": str, "owned": bool}
    fits = all(isinstance(getattr(model, name), kind) for name, kind in kinds.items())
    return model if fits else None
