"""A bundle on disk: verified when read, whole when written."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.bundle import (
    CARD,
    MANIFEST,
    MODEL,
    PACKAGED,
    TOKENIZER,
    Bundle,
    check_place,
    packaged_bundle_path,
)
from hybridroute.edge_runtime.errors import BundleError

FILES = {MODEL: b"model", TOKENIZER: b"tokenizer", CARD: b"card"}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "b")


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_written_is_loaded(bundle: Bundle) -> None:
    held = Bundle.load(bundle.path)
    assert held.manifest == bundle.manifest
    assert set(held.manifest.files) == {MODEL, TOKENIZER, CARD}
    for name, record in held.manifest.files.items():
        assert len(held.read(name)) == record.bytes


def test_golden_vectors_hold(bundle: Bundle) -> None:
    scorer = bundle.scorer(threads=1)
    for golden in Bundle.load(bundle.path).manifest.golden:
        assert scorer.encode(golden.text).ids == golden.token_ids
        assert scorer.score([golden.text])[0] == pytest.approx(golden.score, abs=1e-6)


def test_a_packaged_bundle_goes_by_its_name_where_no_folder_has_it(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in PACKAGED:
        assert Bundle.load(name).path == packaged_bundle_path(name)
    bundle.path.rename(tmp_path / "demo")
    assert Bundle.load("demo").path == Path("demo")
    with pytest.raises(BundleError, match="packaged one's name: default, demo"):
        Bundle.load("Demo!")


@pytest.mark.parametrize("place", ["nothing", "\x00", "file"])
def test_no_bundle_there(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="no bundle at"):
        Bundle.load(tmp_path / place)


def test_a_manifest_that_is_not_text(bundle: Bundle) -> None:
    (bundle.path / MANIFEST).write_bytes(b"\xff\xfe")
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        Bundle.load(bundle.path)


@pytest.mark.parametrize("name", [MODEL, TOKENIZER, CARD])
def test_an_altered_file(bundle: Bundle, name: str) -> None:
    data = bytearray((bundle.path / name).read_bytes())
    data[len(data) // 2] ^= 1
    (bundle.path / name).write_bytes(data)
    with pytest.raises(BundleError, match=f"{name} was altered: its sha256 is"):
        Bundle.load(bundle.path)
    with pytest.raises(BundleError, match="was altered"):
        bundle.read(name)


@pytest.mark.parametrize("name", [MODEL, TOKENIZER, CARD])
def test_a_missing_file(bundle: Bundle, name: str) -> None:
    (bundle.path / name).unlink()
    with pytest.raises(BundleError, match=f"{name} cannot be read"):
        Bundle.load(bundle.path)


@pytest.mark.parametrize("name", [MODEL, TOKENIZER])
def test_a_file_the_manifest_does_not_list(bundle: Bundle, name: str) -> None:
    held = json.loads((bundle.path / MANIFEST).read_text())
    del held["files"][name]
    (bundle.path / MANIFEST).write_text(json.dumps(held))
    with pytest.raises(BundleError, match=rf"lists no \['{name}'\]"):
        Bundle.load(bundle.path)


@pytest.mark.parametrize("name", ["../b/router.onnx", "manifest.json", ""])
def test_only_listed_files_are_read(bundle: Bundle, name: str) -> None:
    with pytest.raises(BundleError, match="is not a file of the bundle"):
        bundle.read(name)


def test_files_written_have_plain_names_and_are_all_there(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a plain file name"):
        Bundle.write(tmp_path / "n", bundle.manifest, {**FILES, "../x": b""})
    with pytest.raises(BundleError, match=r"needs \['README.md'\] too"):
        Bundle.write(tmp_path / "n", bundle.manifest, {MODEL: b"", TOKENIZER: b""})
    assert not (tmp_path / "n").exists()


class Cut(BaseException):
    """A kill, as far as Python code can see one."""


@pytest.mark.parametrize("fault", [Cut, OSError(28, "No space left on device")])
@pytest.mark.parametrize("step", ["fsync", "rename-1", "rename-2"])
def test_an_interrupted_write_leaves_the_old_bundle(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, fault: Exception, step: str
) -> None:
    before = everything(bundle.path.parent)
    renames = []
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        renames.append(target)
        if step == f"rename-{len(renames)}":
            raise fault
        return real(self, target)

    def fsync(_: int) -> None:
        raise fault

    monkeypatch.setattr(Path, "rename", rename)
    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(Cut if fault is Cut else BundleError):
        Bundle.write(bundle.path, bundle.manifest, FILES)
    assert everything(bundle.path.parent) == before
    assert Bundle.load(bundle.path).manifest == bundle.manifest


def test_a_bundle_replaces_a_bundle_and_leaves_nothing_beside(bundle: Bundle) -> None:
    Bundle.write(bundle.path, bundle.manifest, FILES)
    assert [path.name for path in bundle.path.parent.iterdir()] == ["b"]
    assert Bundle.load(bundle.path).read(MODEL) == b"model"


def test_a_bundle_is_written_through_a_link(bundle: Bundle, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(bundle.path)
    Bundle.write(link, bundle.manifest, FILES)
    assert link.is_symlink()
    assert Bundle.load(bundle.path).read(MODEL) == b"model"


def test_nothing_but_a_bundle_is_replaced(bundle: Bundle, tmp_path: Path) -> None:
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("years of work")
    (tmp_path / "file").touch()
    for place in (other, tmp_path / "file"):
        with pytest.raises(BundleError, match="exists and is not a bundle"):
            Bundle.write(place, bundle.manifest, FILES)
    assert (other / "chapter.txt").read_text() == "years of work"


def test_a_place_is_checked_without_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for place in (tmp_path / "a" / "b", tmp_path / "empty", "../a"):
        check_place(place)
    for place, said in (
        (tmp_path / "file" / "b", "no folder can be made|cannot write a bundle"),
        (".", "is the current folder"),
        ("..", "is the current folder or holds it"),
        ("\x00", "cannot write a bundle"),
    ):
        with pytest.raises(BundleError, match=said):
            check_place(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "here"]
