"""Which llama.cpp engine runs a model: the one asked for, else the first one installed."""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import replace
from pathlib import Path

from hybridroute.edge_runtime.errors import ConfigError, EngineMissing
from hybridroute.edge_runtime.protocols import ChatEngine, EngineOptions

_MODULES = {"llama-cpp-python": "llama_cpp", "xllamacpp": "xllamacpp"}
ENGINE_NAMES = tuple(_MODULES)
"""Every engine, in the order of preference."""

_HOW = "pip install 'hybridroute[prebuilt]' (a second) or 'hybridroute[llama]' (compiles)"


def installed_engines() -> tuple[str, ...]:
    """The engines installed, in the order of preference. Imports none of them."""
    return tuple(name for name, module in _MODULES.items() if _is_installed(module))


def choose_engine(name: str | None = None) -> str:
    """The engine to use. Imports none.

    Raises
    ------
    EngineMissing
        If the engine asked for, or every one, is not installed.
    ConfigError
        If ``name`` is no engine.
    """
    if name is not None and name not in _MODULES:
        raise ConfigError(f"engine is {name!r}; it must be one of {', '.join(_MODULES)}")
    installed = installed_engines()
    if name is not None and name not in installed:
        raise EngineMissing(f"the engine {name} is not installed; {_HOW}")
    if not installed:
        raise EngineMissing(f"no llama.cpp engine is installed; {_HOW}")
    return name or installed[0]


def load_engine(path: Path, options: EngineOptions, name: str | None = None) -> ChatEngine:
    """Load a GGUF file. Raises EngineMissing, ModelMissing or ConfigError."""
    chosen = choose_engine(name)
    try:
        importlib.import_module(_MODULES[chosen])
    except (ImportError, OSError, RuntimeError) as exc:
        raise EngineMissing(f"the engine {chosen} cannot be loaded ({exc}); {_HOW}") from exc
    if options.threads is None:
        options = replace(options, threads=default_threads())
    if chosen == "xllamacpp":
        from hybridroute.edge_runtime.engine_xllamacpp import XllamacppEngine

        return XllamacppEngine(path, options)
    from hybridroute.edge_runtime.engine_llama_cpp import LlamaCppEngine

    return LlamaCppEngine(path, options)


def default_threads() -> int:
    """Physical cores minus one, at least 1: more threads than free cores is far slower."""
    return max(1, _physical_cores() - 1)


def _physical_cores() -> int:
    """Distinct (package, core) pairs this process may run on; the logical count where unknown."""
    try:
        allowed = os.sched_getaffinity(0)
    except AttributeError:
        return os.cpu_count() or 1
    places = set()
    for cpu in allowed:
        folder = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology")
        try:
            package = (folder / "physical_package_id").read_text().strip()
            places.add((package, (folder / "core_id").read_text().strip()))
        except OSError:
            return len(allowed)
    return len(places) or 1


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False
