"""Models of the user's own, remembered by name."""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from hybridroute.edge_runtime import local_models, model_registry
from hybridroute.edge_runtime.errors import ConfigError, ModelMissing
from hybridroute.edge_runtime.llama_arm import LlamaArm

GGUF = struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + bytes(range(100))
SHA = hashlib.sha256(GGUF).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("HYBRIDROUTE_CACHE", str(folder))
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "Some Model.Q4.gguf"
    path.write_bytes(GGUF)
    return path


def test_an_added_file_is_found_by_name(file: Path) -> None:
    held = local_models.add("my.model-1", file)
    assert (held.bytes, held.sha256, held.owned) == (len(GGUF), SHA, False)
    found = model_registry.resolve("my.model-1")
    assert (found.path, found.sha256, found.name) == (file, SHA, "my.model-1")
    assert local_models.local_models() == (held,)


def test_an_arm_goes_by_the_name_and_not_by_its_stem(file: Path) -> None:
    local_models.add("my.model-1", file)
    assert LlamaArm("my.model-1").model == "my.model-1"
    assert LlamaArm(str(file)).model == "Some Model.Q4"


def test_a_relative_path_is_remembered_whole(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert local_models.add("mine", Path(file.name)).path == str(file)


@pytest.mark.parametrize("name", ["", "a b", "../x", ".hidden", "x.GGUF", "gemma3-270m", "a" * 81])
def test_an_unfit_name_is_refused(file: Path, name: str) -> None:
    with pytest.raises(ConfigError):
        local_models.add(name, file)
    assert local_models.local_models() == ()


def test_a_name_stands_for_one_file(file: Path) -> None:
    local_models.add("mine", file)
    local_models.add("mine", file)
    other = file.with_name("other.gguf")
    other.write_bytes(GGUF)
    with pytest.raises(ConfigError, match="already; give another name, or run .*remove mine"):
        local_models.add("mine", other)


def test_the_way_out_is_the_callers(file: Path) -> None:
    with pytest.raises(ConfigError, match="registered model; give another name$"):
        local_models.add("smollm2-135m", file)
    with pytest.raises(ConfigError, match="registered model; give another --name$"):
        local_models.check_free("smollm2-135m", str(file), way_out="give another --name")


def test_a_file_that_only_begins_like_a_model_is_not_added(file: Path) -> None:
    file.write_bytes(b"GGUF" + bytes(500))
    with pytest.raises(ModelMissing, match="its version is 0"):
        local_models.add("mine", file)
    assert local_models.local_models() == ()


def test_what_is_no_gguf_is_not_added(file: Path) -> None:
    file.write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelMissing, match="not a GGUF file"):
        local_models.add("mine", file)
    with pytest.raises(ModelMissing, match="cannot be read"):
        local_models.add("mine", file.with_name("absent.gguf"))
    assert local_models.local_models() == ()


@pytest.mark.parametrize("data", [GGUF + b"!", GGUF[:-1] + b"!"], ids=["longer", "other"])
def test_a_file_that_changed_is_refused(file: Path, data: bytes) -> None:
    local_models.add("mine", file)
    file.write_bytes(data)
    os.utime(file, ns=(1, 1))
    with pytest.raises(ModelMissing, match="changed since it was named mine"):
        model_registry.resolve("mine")


def test_verify_finds_a_change_that_the_memory_hides(file: Path) -> None:
    local_models.add("mine", file)
    kept = file.stat().st_mtime_ns
    file.write_bytes(GGUF[:-1] + b"!")
    os.utime(file, ns=(kept, kept))
    assert model_registry.resolve("mine").sha256 == SHA
    with pytest.raises(ModelMissing, match="changed since"):
        model_registry.verify("mine")


def test_a_file_that_went_away_is_told(file: Path) -> None:
    local_models.add("mine", file)
    file.unlink()
    with pytest.raises(ModelMissing, match="models remove mine"):
        model_registry.resolve("mine")


def test_removing_leaves_an_added_file_alone(file: Path) -> None:
    local_models.add("mine", file)
    local_models.remove("mine")
    assert file.read_bytes() == GGUF
    assert local_models.local_model("mine") is None


def test_removing_deletes_a_file_of_the_cache(file: Path) -> None:
    local_models.remember(replace(local_models.add("mine", file), owned=True))
    local_models.remove("mine")
    assert not file.exists()


def test_removing_a_registered_or_unknown_model_says_why_not(file: Path) -> None:
    with pytest.raises(ConfigError, match="pip uninstall"):
        local_models.remove("smollm2-135m")
    local_models.add("mine", file)
    with pytest.raises(ConfigError, match="there are: mine"):
        local_models.remove("yours")


@pytest.mark.parametrize("text", ["", "[1]", "{}", '{"name": 3}', '{"a": 1}'])
def test_a_damaged_record_is_left_out(file: Path, cache: Path, text: str) -> None:
    held = local_models.add("mine", file)
    (cache / "local-models" / "bad.json").write_text(text)
    assert local_models.local_models() == (held,)
    assert local_models.local_model("bad") is None


def test_an_unknown_name_lists_these_too(file: Path) -> None:
    local_models.add("mine", file)
    with pytest.raises(ModelMissing, match="gemma3-270m, mine"):
        model_registry.resolve("yours")


def test_a_cache_that_cannot_be_written_names_the_variable(file: Path, cache: Path) -> None:
    cache.write_text("a file")
    with pytest.raises(ModelMissing, match="HYBRIDROUTE_CACHE"):
        local_models.add("mine", file)


@pytest.mark.parametrize(
    ("file_name", "name"),
    [("My Model (v2).Q4_K_M.gguf", "My-Model-v2-.Q4_K_M"), ("a.GGUF", "a"), ("..", "")],
)
def test_a_name_is_made_from_a_file_name(file_name: str, name: str) -> None:
    assert local_models.name_from(file_name) == name
