"""No engine, or not the one asked for."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from hybridroute.edge_runtime import engines
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ConfigError, EngineMissing
from hybridroute.edge_runtime.llama_arm import LlamaArm
from hybridroute.edge_runtime.protocols import EngineOptions

HELLO = ChatRequest(messages=({"role": "user", "content": "Hello"},))


def install(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    """Make only these engines look installed."""
    real = importlib.util.find_spec

    def find_spec(name: str, package: str | None = None) -> ModuleSpec | None:
        if name in ("llama_cpp", "xllamacpp"):
            return ModuleSpec(name, None) if name in modules else None
        return real(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


@pytest.fixture
def gguf(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF....")
    return path


def test_without_any_engine_the_arm_says_what_to_install(
    gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch)
    arm = LlamaArm(gguf)
    for act in (arm.warm_up, lambda: arm.complete(HELLO), lambda: arm.stream(HELLO)):
        with pytest.raises(EngineMissing) as caught:
            act()
        assert "pip install 'hybridroute[prebuilt]'" in str(caught.value)
        assert "hybridroute[llama]" in str(caught.value)
    arm.close()


def test_the_one_asked_for_is_missing(gguf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "xllamacpp")
    with pytest.raises(EngineMissing, match="the engine llama-cpp-python is not installed"):
        LlamaArm(gguf, engine="llama-cpp-python").warm_up()


@pytest.mark.parametrize(
    ("modules", "chosen"),
    [
        (("llama_cpp", "xllamacpp"), "llama-cpp-python"),
        (("xllamacpp",), "xllamacpp"),
        (("llama_cpp",), "llama-cpp-python"),
    ],
)
def test_llama_cpp_python_comes_first(
    modules: tuple[str, ...], chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(monkeypatch, *modules)
    assert engines.choose_engine() == chosen
    assert set(engines.installed_engines()) == {
        name
        for name in engines.ENGINE_NAMES
        if name.replace("-python", "").replace("-", "_") in modules
    }


def test_an_unknown_engine_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="it must be one of llama-cpp-python, xllamacpp"):
        engines.choose_engine("ollama")


def test_an_engine_that_breaks_on_import_is_missing(
    gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "site" / "xllamacpp"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise OSError('libgomp.so.1: cannot open')")
    monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
    monkeypatch.syspath_prepend(str(broken.parent))
    with pytest.raises(EngineMissing, match="libgomp"):
        engines.load_engine(gguf, EngineOptions(), "xllamacpp")
