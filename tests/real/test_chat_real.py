"""`chat` with SmolLM2 in the command's own process, through a pipe and in a terminal."""

import json
import os

import pytest
from cli_run import run
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.engines import installed_engines
from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.edge_runtime.model_registry import resolve

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    try:
        resolve("smollm2-135m")
    except ModelMissing as exc:
        pytest.skip(str(exc))
    return str(write_tiny_bundle(tmp_path_factory.mktemp("chat") / "tiny").path)


@pytest.fixture(params=["llama-cpp-python", "xllamacpp"])
def engine(request):
    if request.param not in installed_engines():
        pytest.skip(f"{request.param} is not installed")
    return request.param


def test_a_follow_up_through_a_pipe(bundle, engine, tmp_path):
    limits = ("--max-tokens", "12", "--temperature", "0", "--seed", "1")
    lines = "What is the capital of France?\nAnd of Italy?\n/new\nAnd of Italy?\n"
    asked = ("chat", "--engine", engine, "--bundle", bundle, *limits, "--json")
    done = run(*asked, cwd=tmp_path, stdin=lines)
    assert done.returncode == 0, done.stderr
    bodies = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(body["arm"], body["model"]) for body in bodies} == {("edge", "smollm2-135m")}
    first, follow_up, without_history = (body["content"] for body in bodies)
    assert first.strip()
    assert follow_up != without_history
    plain = run(*asked[:-1], cwd=tmp_path, stdin=lines)
    assert plain.stdout == f"{first}\n{follow_up}\n{without_history}\n"
    assert plain.stderr.count("[edge] smollm2-135m: only capable arm\n") == 3


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are POSIX's")
def test_ctrl_c_stops_the_model_and_the_next_turn_answers(bundle, engine, tmp_path):
    from terminal import Terminal

    asked = ("chat", "--engine", engine, "--bundle", bundle, "--temperature", "0")
    with Terminal(*asked, cwd=tmp_path) as terminal:
        terminal.until("> ")
        terminal.type("Count from 1 to 1000, one number a line, and leave none out.\n")
        terminal.until("[edge] smollm2-135m")
        terminal.until("\n")
        terminal.type("\x03")
        terminal.until("(stopped)\n> ")
        terminal.type("/new\n")
        terminal.until("a new conversation\n> ")
        terminal.type("Say hello.\n")
        terminal.until("[edge] smollm2-135m")
        terminal.until("\n> ")
        terminal.type("/stats\n")
        assert "2 answers, 100% on the edge, 0 by fallback, 1 stopped" in terminal.until("> ")
        terminal.type("\x04")
        assert terminal.end() == 0
