"""The demo with both models: its answers, and that it leaves no process behind."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from cli_run import command, environment, run
from tiny_bundle import write_tiny_bundle

from hybridroute.demo.launch import StandInCloud
from hybridroute.demo.stand_in import choose_server
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.model_registry import resolve

pytestmark = pytest.mark.real

QUERIES = (
    "Who painted the Mona Lisa?",
    "What is 17 plus 25?",
    "Write a haiku.",
    "法国的首都是哪里?",
)


@pytest.fixture(scope="module", autouse=True)
def _parts():
    try:
        resolve("smollm2-135m")
        resolve("gemma3-270m")
        choose_server()
    except ConfigError as exc:  # ModelMissing and EngineMissing among them
        pytest.skip(str(exc))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("demo")
    write_tiny_bundle(made / "tiny")
    (made / "queries.txt").write_text("\n".join(QUERIES), encoding="utf-8")
    return made


ARGUMENTS = ("demo", "--bundle", "tiny", "--queries", "queries.txt", "--max-tokens", "8")


def test_both_arms_answer_and_the_dial_moves_the_split(folder):
    done = run(*ARGUMENTS, "--json", "--dial", "0.2", "--dial", "1", cwd=folder)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    answers, summary = lines[:-1], lines[-1]
    assert [(one["dial"], one["query"]) for one in answers] == [
        (dial, query) for dial in (0.2, 1.0) for query in QUERIES
    ]
    models = {(one["arm"], one["model"]) for one in answers}
    assert models == {("edge", "smollm2-135m"), ("cloud", "gemma3-270m")}
    assert all(one["content"] for one in answers if one["query"] == QUERIES[0])
    assert all(0.0 < one["first_token_ms"] <= one["total_ms"] for one in answers)
    assert [one["reason"] for one in answers if one["query"] == QUERIES[3]] == ["out_of_scope"] * 2
    assert summary["calibrated"] is False
    low, high = summary["splits"]
    assert low["edge"] > high["edge"] == 0
    assert low["cost_advantage_measured"] == low["edge"] / 4


def test_a_person_gets_tables_and_is_told_what_they_mean(folder):
    done = run(*ARGUMENTS, "--dial", "0.5", cwd=folder, COLUMNS="80")
    assert done.returncode == 0, done.stderr
    text = " ".join(done.stdout.split())
    for said in ("calibrated: false", "Gemma's terms", "Dial 0.5", "cloud*", "requested measured"):
        assert said in text
    assert done.stderr == ""


def test_the_stand_in_is_on_loopback_and_takes_only_its_key():
    with StandInCloud() as cloud:
        base = cloud.settings.base_url
        assert urlsplit(base).hostname == "127.0.0.1"
        assert requests.get(f"{base}/models", timeout=10).status_code == 401
        arguments = subprocess.run(
            ["ps", "-o", "args=", "-p", str(cloud.process_id)], capture_output=True, check=True
        ).stdout.decode()
        assert cloud.settings.api_key not in arguments
        question = {"role": "user", "content": "Who painted the Mona Lisa?"}
        asked = ChatRequest(messages=(question,), max_tokens=24, temperature=0.0, seed=0)
        answer = cloud.arm().complete(asked).choices[0].message.content
        assert "Leonardo" in answer
        assert "Question" not in answer
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", urlsplit(base).port), timeout=5)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        (signal.SIGTERM, 128 + signal.SIGTERM),
        (signal.SIGKILL, -signal.SIGKILL),
    ],
)
def test_however_it_ends_no_process_is_left(folder, number, code):
    running = subprocess.Popen(
        command(*ARGUMENTS, "--json", "--dial", "0.2", "--dial", "1"),
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    running.stdout.readline()  # the first answer: both models are up
    children = children_of(running.pid)
    assert len(children) == 1
    running.send_signal(number)
    _, said = running.communicate(timeout=30)
    assert running.returncode == code
    assert b"Traceback" not in said
    assert gone(children[0])


def test_a_parent_killed_while_the_model_loads_leaves_no_process(folder):
    code = (
        "import os, signal, threading; from hybridroute.demo import launch; "
        "begin = launch.StandInCloud._started\n"
        "def die(cloud, orders, deadline):\n"
        "    print(cloud.process_id, flush=True)\n"
        "    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()\n"
        "    return begin(cloud, orders, deadline)\n"
        "launch.StandInCloud._started = die\n"
        "launch.StandInCloud()\n"
        "signal.pause()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))


def children_of(parent):
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, check=False
    )
    return [int(word) for word in listed.stdout.split()]


def gone(process, seconds=15.0):
    """Whether a process ends in time; it is ended here if it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        if is_zombie(process):  # nobody is there to collect it in some containers
            return True
        time.sleep(0.05)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    return False


def is_zombie(process):
    with suppress(OSError), Path(f"/proc/{process}/stat").open() as held:
        return held.read().rpartition(")")[2].split()[0] == "Z"
    return False
