"""`models pull` with a real model: one that is installed, and one by URL."""

import json

import pytest
from cli_run import run
from cloud_server import CloudServer
from file_server import ServedFile
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.engines import installed_engines
from hybridroute.edge_runtime.known_models import REGISTRY
from hybridroute.edge_runtime.model_registry import resolve, show

pytestmark = pytest.mark.real


def test_pull_of_an_installed_model_verifies_it(tmp_path):
    if not show("smollm2-135m").installed:
        pytest.skip("smollm2-135m is not on this device")
    done = run("models", "pull", "smollm2-135m", "--json", cwd=tmp_path)
    body = json.loads(done.stdout)
    assert (done.returncode, body["verified"]) == (0, True)
    assert body["sha256"] == REGISTRY["smollm2-135m"].sha256
    assert "is installed; checking it" in done.stderr


def test_a_model_pulled_by_url_answers_by_its_name(tmp_path):
    if not show("smollm2-135m").installed:
        pytest.skip("smollm2-135m is not on this device")
    if not installed_engines():
        pytest.skip("no llama.cpp engine is installed")
    held = resolve("smollm2-135m")
    cache = {"cwd": tmp_path, "HYBRIDROUTE_CACHE": str(tmp_path / "cache")}
    with CloudServer(ServedFile(data=held.path.read_bytes())) as server:
        asked = ("models", "pull", f"{server.url}/small.gguf", "--sha256", str(held.sha256))
        done = run(*asked, "--name", "own-small", "--json", **cache)
    assert done.returncode == 0, done.stderr
    bundle = str(write_tiny_bundle(tmp_path / "tiny").path)
    limits = (
        "--bundle",
        bundle,
        "--mode",
        "only_on_device",
        "--max-tokens",
        "4",
        "--temperature",
        "0",
    )
    done = run("ask", "Say hello.", "--edge", "own-small", *limits, "--json", **cache)
    body = json.loads(done.stdout)
    assert (body["arm"], body["model"]) == ("edge", "own-small")
    assert body["content"].strip()
