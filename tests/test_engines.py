"""Which engine, and how many threads it gets."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from hybridroute.edge_runtime import engine_xllamacpp, engines
from hybridroute.edge_runtime.protocols import EngineOptions


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (8, 7)])
def test_one_core_is_left_free(cores: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "_physical_cores", lambda: cores)
    assert engines.default_threads() == threads


def test_this_machine_has_a_sensible_number() -> None:
    assert engines.default_threads() >= 1


def test_choosing_and_making_an_arm_import_no_engine() -> None:
    program = (
        "import sys\n"
        "from hybridroute.edge_runtime import engines, llama_arm\n"
        "engines.installed_engines(); llama_arm.LlamaArm()\n"
        "print(sorted({'llama_cpp', 'xllamacpp', 'numpy', 'requests'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_open_threads_are_filled_in_before_the_engine_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    given: list[EngineOptions] = []
    monkeypatch.setattr(
        engine_xllamacpp, "XllamacppEngine", lambda _path, options: given.append(options)
    )
    engines.load_engine(tmp_path, EngineOptions(), "xllamacpp")
    engines.load_engine(tmp_path, EngineOptions(threads=5), "xllamacpp")
    assert [options.threads for options in given] == [engines.default_threads(), 5]
