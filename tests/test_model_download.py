"""Pulling a GGUF by URL, over real HTTP on loopback."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cloud_server as play
import pytest
from file_server import ServedFile, redirect

from hybridroute.edge_runtime import model_registry
from hybridroute.edge_runtime.errors import ConfigError, ModelMissing
from hybridroute.edge_runtime.local_models import local_model, local_models
from hybridroute.model_download import pull_url

DATA = b"GGUF" + bytes(range(256)) * 800
SHA = hashlib.sha256(DATA).hexdigest()
HALF = len(DATA) // 2


@dataclass
class Watch:
    """Notes what it is told."""

    begun: list[tuple[int | None, int]] = field(default_factory=list)
    count: int = 0

    def begin(self, *, total: int | None, have: int, host: str) -> None:
        self.begun.append((total, have))
        assert host == "127.0.0.1"

    def advance(self, count: int) -> None:
        self.count += count


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("HYBRIDROUTE_CACHE", str(folder))
    return folder


def pull(server: play.CloudServer, sha256: str | None = SHA, name: str | None = "mine") -> Watch:
    watch = Watch()
    pull_url(f"{server.url}/m.gguf?sig=secret", sha256=sha256, name=name, watch=watch)
    return watch


def kept(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "models").iterdir())


def parts(cache: Path) -> list[Path]:
    return sorted((cache / "models").glob("*.part"))


@contextmanager
def cut_once(
    cache: Path, *after: play.Behaviour, etag: str | None = '"v1"'
) -> Iterator[play.CloudServer]:
    """A server whose first answer breaks off in the middle; that pull has been made."""
    first = ServedFile(data=DATA, etag=etag, cut_after=HALF)
    with play.CloudServer(first, *after) as server:
        with pytest.raises(ModelMissing, match="Run the same command again: it goes on from"):
            pull(server)
        assert parts(cache)[0].read_bytes() == DATA[:HALF]
        assert local_models() == ()
        yield server


def test_a_pulled_model_is_known_by_name(cache: Path) -> None:
    with play.CloudServer(ServedFile(data=DATA)) as server:
        watch = pull(server, SHA.upper())
    assert (watch.begun, watch.count) == ([(len(DATA), 0)], len(DATA))
    found = model_registry.resolve("mine")
    assert found.path == cache / "models" / "mine.gguf"
    assert found.path.read_bytes() == DATA
    assert (found.name, found.sha256) == ("mine", SHA)
    assert found.notes == f"{server.url}/m.gguf"
    assert kept(cache) == ["mine.gguf"]


def test_the_name_comes_from_the_url() -> None:
    with play.CloudServer(ServedFile(data=DATA)) as server:
        pull(server, name=None)
    assert local_model("m") is not None


def test_a_cut_pull_goes_on_where_it_stopped(cache: Path) -> None:
    with cut_once(cache, ServedFile(data=DATA)) as server:
        watch = pull(server)
    assert (watch.begun, watch.count) == ([(len(DATA), HALF)], len(DATA) - HALF)
    asked = server.seen[1].headers
    assert (asked["range"], asked["if-range"]) == (f"bytes={HALF}-", '"v1"')
    assert model_registry.resolve("mine").path.read_bytes() == DATA


def test_without_a_validator_the_sha256_decides(cache: Path) -> None:
    with cut_once(cache, ServedFile(data=DATA, etag=None), etag=None) as server:
        assert pull(server).count == len(DATA) - HALF
    assert "if-range" not in server.seen[1].headers


def test_a_weak_etag_is_not_used_to_go_on(cache: Path) -> None:
    with cut_once(cache, ServedFile(data=DATA, etag='W/"v1"'), etag='W/"v1"') as server:
        pull(server)
    assert "if-range" not in server.seen[1].headers


@pytest.mark.parametrize(
    "second",
    [
        ServedFile(data=DATA, etag='"v2"'),
        ServedFile(data=DATA, ranges=False),
    ],
    ids=["changed-etag", "no-ranges"],
)
def test_a_server_that_sends_all_is_read_from_the_start(
    cache: Path, second: play.Behaviour
) -> None:
    with cut_once(cache, second) as server:
        watch = pull(server)
    assert (watch.begun, watch.count) == ([(len(DATA), 0)], len(DATA))
    assert len(server.seen) == 2


def test_another_range_than_asked_for_is_not_joined(cache: Path) -> None:
    with cut_once(cache, ServedFile(data=DATA, lie_range=True), ServedFile(data=DATA)) as server:
        assert pull(server).count == len(DATA)
    assert "range" not in server.seen[2].headers


def test_a_file_that_became_shorter_is_fetched_anew(cache: Path) -> None:
    short = DATA[:1000]
    with cut_once(cache, ServedFile(data=short, etag=None)) as server:
        pull(server, hashlib.sha256(short).hexdigest())
    assert model_registry.resolve("mine").bytes == 1000


def test_a_wrong_sha256_is_refused_and_deleted(cache: Path) -> None:
    with (
        play.CloudServer(ServedFile(data=DATA)) as server,
        pytest.raises(ModelMissing, match=f"has sha256 {SHA}, not {'0' * 64}") as caught,
    ):
        pull(server, "0" * 64)
    assert "secret" not in str(caught.value)
    assert kept(cache) == []
    assert local_models() == ()


def test_without_sha256_it_is_shown_and_nothing_is_fetched_twice(cache: Path) -> None:
    with play.CloudServer(ServedFile(data=DATA)) as server:
        with pytest.raises(ModelMissing, match=f"run again with --sha256 {SHA}"):
            pull(server, None)
        assert local_models() == ()
        assert pull(server).begun == []
    assert len(server.seen) == 1
    assert model_registry.resolve("mine").sha256 == SHA


def test_a_page_is_no_model_and_is_not_read_to_its_end(cache: Path) -> None:
    page = ServedFile(data=b"<!doctype html>" + b" " * 10_000_000)
    with (
        play.CloudServer(page) as server,
        pytest.raises(ModelMissing, match=r"not a GGUF file \(it begins with b'<!do'\)"),
    ):
        pull(server)
    assert kept(cache) == []


@pytest.mark.parametrize("data", [b"", b"GG"])
def test_a_stump_is_no_model(data: bytes) -> None:
    with (
        play.CloudServer(ServedFile(data=data)) as server,
        pytest.raises(ModelMissing, match="not a GGUF file"),
    ):
        pull(server, hashlib.sha256(data).hexdigest())


@pytest.mark.parametrize(
    ("status", "said"),
    [(404, "answers 404"), (401, "no key is ever sent"), (403, "models add"), (500, "answers 500")],
)
def test_a_refusal_is_told(cache: Path, status: int, said: str) -> None:
    with (
        play.CloudServer(play.answer({}, status)) as server,
        pytest.raises(ModelMissing, match=said) as caught,
    ):
        pull(server)
    assert "secret" not in str(caught.value)
    assert kept(cache) == []


def test_a_refusal_keeps_what_was_fetched(cache: Path) -> None:
    with cut_once(cache, play.answer({}, 503), ServedFile(data=DATA)) as server:
        with pytest.raises(ModelMissing, match="goes on from"):
            pull(server)
        assert pull(server).count == len(DATA) - HALF


def test_chunks_without_a_size_are_read() -> None:
    whole = play.head(transfer_encoding="chunked") + play.chunked(DATA) + b"0\r\n\r\n"
    with play.CloudServer(play.raw(whole)) as server:
        assert pull(server).begun == [(None, 0)]
    assert model_registry.resolve("mine").bytes == len(DATA)


def test_a_redirect_is_followed() -> None:
    with play.CloudServer(redirect("/other"), ServedFile(data=DATA)) as server:
        pull(server)
    assert [seen.path for seen in server.seen] == ["/v1/m.gguf?sig=secret", "/other"]


def test_too_little_space_is_told_before_the_body(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 10**5))
    with (
        play.CloudServer(ServedFile(data=DATA)) as server,
        pytest.raises(ModelMissing, match=r"has 0\.1 MB free and the rest of the file needs 0\.2"),
    ):
        pull(server)
    assert parts(cache) == []


def test_a_cache_that_cannot_be_written_names_the_variable(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write_text("a file")
    with (
        play.CloudServer(ServedFile(data=DATA)) as server,
        pytest.raises(ModelMissing, match="HYBRIDROUTE_CACHE"),
    ):
        pull(server)
    assert server.seen == []


def test_the_same_model_is_not_fetched_again(cache: Path) -> None:
    with play.CloudServer(ServedFile(data=DATA)) as server:
        pull(server)
        pull(server)
        assert len(server.seen) == 1
        with pytest.raises(ConfigError, match="models remove mine"):
            pull(server, "1" * 64)


@pytest.mark.parametrize("sha256", ["12", "g" * 64])
def test_an_unfit_number_is_refused_before_anything_is_fetched(sha256: str) -> None:
    with play.CloudServer(ServedFile(data=DATA)) as server:
        with pytest.raises(ConfigError, match="64 hexadecimal digits"):
            pull(server, sha256)
        assert server.seen == []


@pytest.mark.parametrize("name", ["a/b", "x.gguf", "smollm2-135m", "SmolLM2-135M", ".."])
def test_an_unfit_name_is_refused_before_anything_is_fetched(name: str) -> None:
    with play.CloudServer(ServedFile(data=DATA)) as server:
        with pytest.raises(ConfigError, match="name"):
            pull(server, name=name)
        assert server.seen == []


@pytest.mark.skipif(os.name == "nt", reason="locks are POSIX's")
def test_two_pulls_of_one_url_do_not_mix(cache: Path) -> None:
    import fcntl

    with cut_once(cache, ServedFile(data=DATA)) as server:
        with parts(cache)[0].open("ab") as other:
            fcntl.flock(other, fcntl.LOCK_EX)
            with pytest.raises(ModelMissing, match="another process"):
                pull(server)
        pull(server)
