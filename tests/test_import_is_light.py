"""``import hybridroute`` loads next to nothing; each public name loads when it is used."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import hybridroute
from hybridroute.edge_runtime import errors

HEAVY = (
    "numpy",
    "onnxruntime",
    "tokenizers",
    "requests",
    "urllib3",
    "torch",
    "transformers",
    "llama_cpp",
    "xllamacpp",
    "opentelemetry",
    "hybridroute.client",
    "hybridroute.cloud",
)


def _modules_after(code: str) -> set[str]:
    """The modules a fresh interpreter holds after ``code``."""
    program = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_package_loads_nothing_heavy() -> None:
    loaded = _modules_after("import hybridroute; hybridroute.__version__; dir(hybridroute)")
    assert loaded & set(HEAVY) == set()
    assert {name for name in loaded if name.startswith("hybridroute.")} == {"hybridroute._version"}


def test_the_client_and_the_settings_load_no_engine_and_no_network() -> None:
    loaded = _modules_after("from hybridroute import HybridClient, CloudSettings, LlamaArm, Bundle")
    heavy = set(HEAVY) - {"hybridroute.client", "hybridroute.cloud"}
    assert loaded & heavy == set()


def test_errors_load_no_client() -> None:
    assert "hybridroute.client" not in _modules_after("from hybridroute import ConfigError")


@pytest.mark.parametrize("name", hybridroute.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(hybridroute, name) is not None
    assert name in dir(hybridroute)


def test_every_error_is_public() -> None:
    kinds = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.HybridRouteError)
    }
    assert kinds <= set(hybridroute.__all__)


def test_type_checkers_see_the_same_names() -> None:
    """The imports under TYPE_CHECKING are the lazy names, and come from the same modules."""
    tree = ast.parse(Path(hybridroute.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.name: str(node.module)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert {*seen, "__version__"} == set(hybridroute.__all__)
    for name, module in seen.items():
        home = __import__(module, fromlist=[name])
        assert getattr(home, name) is getattr(hybridroute, name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nonsense"):
        hybridroute.Nonsense  # noqa: B018


def test_logging_is_left_to_the_application() -> None:
    code = (
        "import logging, hybridroute\n"
        "from hybridroute import HybridClient\n"
        "kinds = [type(h).__name__ for h in logging.getLogger('hybridroute').handlers]\n"
        "assert kinds == ['NullHandler'], kinds\n"
        "assert logging.getLogger().handlers == []\n"
        "assert logging.getLogger('hybridroute').level == logging.NOTSET\n"
    )
    _modules_after(code)
