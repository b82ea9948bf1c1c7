"""`models pull URL` as a command: what it prints, Ctrl-C, a full disk, and what comes after."""

import hashlib
import json
import os
import signal
import struct
import subprocess
import sys

import cloud_server as play
import pytest
from cli_run import command, environment, run
from file_server import ServedFile

DATA = struct.pack("<4sIQQ", b"GGUF", 3, 1, 1) + bytes(range(256)) * 800
SHA = hashlib.sha256(DATA).hexdigest()
HALF = len(DATA) // 2


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def url_of(server):
    return f"{server.url}/tiny.gguf"


def test_pulled_listed_shown_verified_and_removed(tmp_path, cache):
    def models(*arguments):
        done = run("models", *arguments, "--json", cwd=tmp_path, HYBRIDROUTE_CACHE=str(cache))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout), done.stderr

    with play.CloudServer(ServedFile(data=DATA)) as server:
        body, said = models("pull", url_of(server), "--sha256", SHA, "--name", "mine")
    assert (body["name"], body["sha256"], body["verified"]) == ("mine", SHA, True)
    assert "downloading 0.2 MB from 127.0.0.1" in said
    assert "--edge mine" in said
    assert models("list")[0][-1]["name"] == "mine"
    assert models("show", "mine")[0]["source"] == url_of(server)
    assert models("verify", "mine")[0]["sha256"] == SHA
    assert models("remove", "mine")[0]["deleted"] is True
    assert "mine" not in [one["name"] for one in models("list")[0]]


def test_an_added_file_is_listed_with_its_path(tmp_path, cache):
    (tmp_path / "own.gguf").write_bytes(DATA)
    set_up = {"cwd": tmp_path, "HYBRIDROUTE_CACHE": str(cache)}
    assert run("models", "add", "[own]", "own.gguf", **set_up).returncode == 1
    assert run("models", "add", "own", "own.gguf", **set_up).returncode == 0
    assert "own.gguf" in run("models", "list", **set_up).stdout
    assert "left where it is" in run("models", "remove", "own", **set_up).stdout
    assert (tmp_path / "own.gguf").is_file()


def test_a_name_is_whole_in_a_narrow_list(tmp_path, cache):
    name = "a-model-with-a-name-of-its-own"
    (tmp_path / "own.gguf").write_bytes(DATA)
    set_up = {"cwd": tmp_path, "HYBRIDROUTE_CACHE": str(cache)}
    assert run("models", "add", name, "own.gguf", **set_up).returncode == 0
    for columns in ("50", "40", "24"):
        listed = run("models", "list", COLUMNS=columns, **set_up).stdout
        names = "".join(line.split()[0] for line in listed.splitlines() if line.strip())
        assert name in names
        assert "…" not in listed


def test_sha256_goes_with_a_url_only(tmp_path):
    done = run("models", "pull", "smollm2-135m", "--sha256", SHA, cwd=tmp_path)
    assert done.returncode == 1
    assert "go with a URL" in done.stderr


def test_without_sha256_the_command_to_run_is_shown(tmp_path, cache):
    with play.CloudServer(ServedFile(data=DATA)) as server:
        done = run("models", "pull", url_of(server), cwd=tmp_path, HYBRIDROUTE_CACHE=str(cache))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"--sha256 {SHA}" in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_ctrl_c_leaves_what_was_fetched_and_the_next_pull_goes_on(tmp_path, cache):
    stalled = ServedFile(data=DATA, stall_after=HALF)
    with play.CloudServer(stalled, ServedFile(data=DATA)) as server:
        asked = ("models", "pull", url_of(server), "--sha256", SHA, "--json")
        running = subprocess.Popen(
            command(*asked),
            cwd=tmp_path,
            env=environment(HYBRIDROUTE_CACHE=str(cache)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert running.stderr is not None
        while b"downloading" not in running.stderr.readline():
            assert running.poll() is None
        while sum(part.stat().st_size for part in (cache / "models").glob("*.part")) < HALF:
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        out, said = running.communicate(timeout=30)
        assert (running.returncode, out) == (130, b"")
        assert b"Traceback" not in said
        done = run(*asked, cwd=tmp_path, HYBRIDROUTE_CACHE=str(cache))
    assert done.returncode == 0, done.stderr
    assert "going on after 0.1 MB" in done.stderr
    assert server.seen[1].headers["range"] == f"bytes={HALF}-"


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX's")
def test_a_full_disk_is_one_line_and_can_be_resumed(tmp_path, cache):
    """A limit on the size of files stands in for the disk: the same write fails."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "
    with play.CloudServer(ServedFile(data=DATA)) as server:
        asked = ("models", "pull", url_of(server), "--sha256", SHA)
        python, flag, code, *arguments = command(*asked)
        done = subprocess.run(
            [python, flag, limit + code, *arguments],
            cwd=tmp_path,
            env=environment(HYBRIDROUTE_CACHE=str(cache)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert "free space there" in done.stderr
        assert "goes on from 0.1 MB" in done.stderr
        again = run(*asked, cwd=tmp_path, HYBRIDROUTE_CACHE=str(cache))
    assert again.returncode == 0, again.stderr
    assert server.seen[1].headers["range"] == "bytes=100000-"
