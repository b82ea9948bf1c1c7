"""Bundles by name: a folder, or a repository of a hub that stands on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import hub
from tiny_bundle import write_tiny_bundle

from hybridroute import Bundle, BundleError, ConfigError, HybridClient
from hybridroute.edge_runtime import bundle as on_device
from hybridroute.hub import folder_of

NAME = "someone/tiny-router"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> on_device.Bundle:
    return write_tiny_bundle(tmp_path_factory.mktemp("hub") / "tiny")


def files(bundle: on_device.Bundle) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in bundle.path.iterdir()}


def run(code: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Python in a process of its own: the hub's client reads its settings when it is imported."""
    held = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**held, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


LOAD = f"""
from hybridroute import Bundle
bundle = Bundle.from_pretrained({NAME!r}, local_files_only=LOCAL)
print(bundle.manifest.name, bundle.scorer().score(['What is 2+2?'])[0])
"""


def test_a_folder_is_loaded_and_every_file_checked(bundle: on_device.Bundle) -> None:
    held = Bundle.from_pretrained(bundle.path)
    assert held.manifest == bundle.manifest
    assert isinstance(held, Bundle)
    assert HybridClient(held, edge=None).bundle is held


def test_what_is_saved_is_the_same_bundle(bundle: on_device.Bundle, tmp_path: Path) -> None:
    saved = Bundle.from_pretrained(bundle.path).save_pretrained(tmp_path / "copy")
    assert files(saved) == files(bundle)
    assert Bundle.from_pretrained(str(tmp_path / "copy")).manifest == bundle.manifest


def test_an_altered_file_is_not_saved_on(bundle: on_device.Bundle, tmp_path: Path) -> None:
    held = bundle.save_pretrained(tmp_path / "copy")
    (held.path / on_device.CARD).write_text("other")
    with pytest.raises(BundleError, match="was altered"):
        held.save_pretrained(tmp_path / "again")
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("name", ["nowhere", "./a/b", "/no/such", "a/b/c", "a b/c", "x/\0", ""])
def test_what_is_no_folder_and_no_name_is_refused(name: str) -> None:
    with pytest.raises(BundleError, match="is not a folder|is neither a folder"):
        folder_of(name, patterns=())


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"hybridroute\[hub\]"):
        Bundle.from_pretrained(NAME)


def test_a_repository_is_fetched_once_and_only_its_bundle(
    bundle: on_device.Bundle, tmp_path: Path
) -> None:
    pytest.importorskip("huggingface_hub")
    held = {**files(bundle), "model.safetensors": b"large", ".gitattributes": b"x"}
    with hub(NAME, held) as (address, asked):
        done = run(LOAD.replace("LOCAL", "False"), tmp_path, HF_ENDPOINT=address)
        assert done.returncode == 0, done.stderr
        wanted = {path.rpartition("/")[2] for path in asked if "/resolve/" in path}
        assert wanted == set(files(bundle))
    offline = run(LOAD.replace("LOCAL", "True"), tmp_path, HF_ENDPOINT=address)
    assert offline.stdout == done.stdout
    assert done.stdout.startswith("tiny 0.")


def test_an_altered_repository_is_refused(bundle: on_device.Bundle, tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    held = {**files(bundle), on_device.MODEL: b"other"}
    with hub(NAME, held) as (address, _):
        done = run(LOAD.replace("LOCAL", "False"), tmp_path, HF_ENDPOINT=address)
    assert done.returncode == 1
    assert "was altered" in done.stderr


def test_a_repository_that_is_not_there(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    with hub("someone/else", {}) as (address, _):
        done = run(LOAD.replace("LOCAL", "False"), tmp_path, HF_ENDPOINT=address)
    assert "BundleError" in done.stderr
    assert "the hub did not give it (RepositoryNotFoundError" in done.stderr


@pytest.mark.parametrize(
    ("local", "said"), [("True", "not in the hub's cache"), ("False", "HF_HUB_OFFLINE")]
)
def test_offline_says_the_way_out(tmp_path: Path, local: str, said: str) -> None:
    pytest.importorskip("huggingface_hub")
    done = run(LOAD.replace("LOCAL", local), tmp_path, HF_HUB_OFFLINE="1")
    assert "BundleError" in done.stderr
    assert said in done.stderr


def test_a_clients_bundle_is_the_public_class(bundle: on_device.Bundle) -> None:
    with HybridClient(str(bundle.path)) as client:
        assert isinstance(client.bundle, Bundle)
