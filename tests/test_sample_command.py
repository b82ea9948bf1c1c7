"""``hybridroute sample`` as a program: exit codes, JSON, kills."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_run import command, environment, run
from cloud_server import CloudServer, Visit, answer, whole

from hybridroute.training.responses_file import read_responses


def slowly(visit: Visit) -> bool:
    visit.stopping.wait(0.05)
    return answer(whole("hi"))(visit)


@pytest.fixture
def server() -> Iterator[CloudServer]:
    with CloudServer(slowly) as held:
        yield held


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.txt"
    path.write_text("".join(f"question {i}\n" for i in range(20)), encoding="utf-8")
    return path


def arguments(server: CloudServer, *more: str) -> list[str]:
    arm = f"cloud=big@{server.url},key-env=,price-in=1,price-out=2"
    return ["sample", "prompts.txt", "--arm", arm, "-n", "3", "--max-tokens", "5", *more]


def keys(path: Path) -> list[tuple[str, str, int]]:
    return sorted(held.key for held in read_responses(path))


def test_json_is_all_that_stands_on_stdout(
    tmp_path: Path, server: CloudServer, prompts: Path
) -> None:
    done = run(*arguments(server, "--json"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    held = json.loads(done.stdout)
    assert (held["complete"], held["arms"]["cloud"]["drawn"]) == (True, 60)
    assert done.stderr == "", "progress is for a terminal"
    shown = run(*arguments(server), cwd=tmp_path)
    assert "60" in shown.stdout
    assert "responses.jsonl" in shown.stdout
    assert len(server.seen) == 60


def test_a_model_that_is_not_there_leaves_no_file(tmp_path: Path, prompts: Path) -> None:
    asked = ("sample", "prompts.txt", "--arm", "edge=no-such-model", "--out", "r.jsonl")
    done = run(*asked, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hybridroute: 'no-such-model' is neither a model")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "r.jsonl").exists()
    (tmp_path / "r.jsonl").touch()
    run(*asked, cwd=tmp_path)
    assert (tmp_path / "r.jsonl").exists(), "it was there before"


def test_a_limit_spreads_over_the_file_and_the_rest_comes_later(
    tmp_path: Path, server: CloudServer, prompts: Path
) -> None:
    assert run(*arguments(server, "--limit", "4"), cwd=tmp_path).returncode == 0
    asked = {held.prompt for held in read_responses(tmp_path / "responses.jsonl")}
    assert asked == {f"question {i}" for i in (0, 5, 10, 15)}
    assert run(*arguments(server), cwd=tmp_path).returncode == 0
    assert len(server.seen) == 60


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_a_kill_loses_only_what_is_in_flight(
    tmp_path: Path, server: CloudServer, prompts: Path, sent: signal.Signals, code: int
) -> None:
    out = tmp_path / "responses.jsonl"
    with subprocess.Popen(
        command(*arguments(server)), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE
    ) as process:
        until = time.monotonic() + 60
        while (not out.exists() or out.stat().st_size < 2000) and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(sent)
        assert process.wait(20) == code
    held = keys(out)
    assert 0 < len(held) < 60
    assert len(server.seen) - len(held) <= 4
    asked = len(server.seen)
    done = run(*arguments(server, "--json"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(set(keys(out))) == len(keys(out)) == 60
    assert len(server.seen) - asked == 60 - len(held)


def test_a_used_budget_is_exit_1_and_one_clear_line(
    tmp_path: Path, server: CloudServer, prompts: Path
) -> None:
    done = run(*arguments(server, "--json", "--budget-usd", "0.0001"), cwd=tmp_path)
    assert done.returncode == 1
    assert json.loads(done.stdout)["over_budget"] == ["cloud"]
    assert json.loads(done.stdout)["spent_usd"] <= 0.0001
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("hybridroute: the budget of 0.0001 USD allows no further call to cloud")


@pytest.mark.skipif(os.name == "nt", reason="ulimit")
def test_a_full_disk_is_exit_1_and_the_run_can_go_on(
    tmp_path: Path, server: CloudServer, prompts: Path
) -> None:
    """A limit on the size of files stands in for the end of the disk."""
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 8; exec "$@"', "sh", *command(*arguments(server))],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("hybridroute: responses.jsonl cannot be written (")
    assert "Traceback" not in done.stderr
    held = (tmp_path / "responses.jsonl").read_bytes()
    assert held.endswith(b"}\n")
    assert run(*arguments(server), cwd=tmp_path).returncode == 0
    assert (tmp_path / "responses.jsonl").read_bytes().startswith(held)
    assert len(keys(tmp_path / "responses.jsonl")) == 60


def test_an_arm_that_gives_nothing_is_exit_1_and_says_why(tmp_path: Path, prompts: Path) -> None:
    """Also when it is run again and nothing is left to ask."""
    prompts.write_text("one\ntwo\n", encoding="utf-8")
    with CloudServer(answer({**whole(), "choices": []})) as empty, CloudServer(slowly) as good:
        arms = ("--arm", f"b=x@{empty.url},key-env=", "--arm", f"a=x@{good.url},key-env=")
        asked = ("sample", "prompts.txt", *arms, "-n", "1", "--json")
        for drawn in (2, 0):
            done = run(*asked, cwd=tmp_path)
            assert done.returncode == 1
            held = json.loads(done.stdout)["arms"]
            assert (held["b"]["drawn"], held["b"]["failed"]) == (drawn, 2)
            assert held["b"]["last_error"] in done.stderr
            assert (held["a"]["failed"], held["a"]["last_error"]) == (0, None)
            assert "all 2 responses of arm b are errors, the last one: " in done.stderr
            assert done.stderr.count("\n") == 1


def test_where_some_fail_it_is_exit_0_and_still_says_why(tmp_path: Path, prompts: Path) -> None:
    prompts.write_text("one\ntwo\nthree\n", encoding="utf-8")
    hi, empty = answer(whole("hi")), answer({**whole(), "choices": []})
    with CloudServer(hi, empty, hi) as server:
        asked = arguments(server, "-n", "1", "--json")
        done = run(*asked, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    held = json.loads(done.stdout)["arms"]["cloud"]
    assert (held["drawn"], held["errors"], held["failed"]) == (3, 1, 1)
    assert "1 of 3 responses of arm cloud are errors, the last one: " in done.stderr
    assert held["last_error"] in done.stderr


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (["prompts.txt"], 2, "--arm"),
        (["prompts.txt", "--arm", "edge"], 2, "is not NAME=MODEL"),
        (["prompts.txt", "--arm", "edge=a", "--arm", "edge=b"], 2, "two arms are called 'edge'"),
        (["prompts.txt", "--arm", "edge=a", "--temperature", "0"], 2, "all 10 responses would be"),
        (["prompts.txt", "--arm", "edge=a", "--budget-usd", "nan"], 2, "'--budget-usd'"),
        (["prompts.txt", "--arm", "edge=a", "--rate", "nan"], 2, "'--rate'"),
        (["absent.txt", "--arm", "edge=smollm2-135m"], 1, "absent.txt cannot be read"),
        (["latin.txt", "--arm", "edge=smollm2-135m"], 1, "latin.txt, line 2"),
        (["twice.jsonl", "--arm", "edge=smollm2-135m"], 1, "the id 'a' stands at twice.jsonl"),
        (["prompts.txt", "--arm", "edge=no-such-model"], 1, "no-such-model"),
        (["prompts.txt", "--arm", "edge=a", "-n", "0"], 2, "Invalid value for '--n'"),
        (["prompts.txt", "--arm", "edge=a", "--temperature", "nan"], 2, "'--temperature'"),
        (["prompts.txt", "--arm", "edge=a", "--top-p", "0"], 2, "'--top-p'"),
        (["prompts.txt", "--arm", "edge=a", "--max-tokens", "0"], 2, "'--max-tokens'"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    tmp_path: Path, prompts: Path, more: list[str], code: int, said: str
) -> None:
    (tmp_path / "latin.txt").write_bytes("one\ncaf\xe9\n".encode("latin-1"))
    (tmp_path / "twice.jsonl").write_text('{"id":"a","prompt":"x"}\n{"id":"a","prompt":"y"}\n')
    done = run("sample", *more, cwd=tmp_path)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
