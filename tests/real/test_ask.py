"""`ask` with SmolLM2 in the command's own process."""

import json

import pytest
from cli_run import run
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.engines import installed_engines
from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.edge_runtime.model_registry import resolve

pytestmark = pytest.mark.real

QUESTION = "Write one sentence about the sea."


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    try:
        resolve("smollm2-135m")
    except ModelMissing as exc:
        pytest.skip(str(exc))
    return str(write_tiny_bundle(tmp_path_factory.mktemp("ask") / "tiny").path)


@pytest.fixture(params=["llama-cpp-python", "xllamacpp"])
def engine(request):
    if request.param not in installed_engines():
        pytest.skip(f"{request.param} is not installed")
    return request.param


def test_the_document_and_the_stream_hold_the_same_answer(bundle, engine, tmp_path):
    sampling = ("--max-tokens", "12", "--temperature", "0", "--seed", "1")
    arguments = (*sampling, "--mode", "only_on_device", "--engine", engine, "--bundle", bundle)
    whole = run("ask", "--json", *arguments, QUESTION, cwd=tmp_path)
    assert whole.returncode == 0, whole.stderr
    body = json.loads(whole.stdout)
    assert len(body["content"].split()) > 3
    assert (body["arm"], body["model"]) == ("edge", "smollm2-135m")
    assert (body["usage"]["completion_tokens"], body["choices"][0]["finish_reason"]) == (
        12,
        "length",
    )
    assert 0.0 <= body["score"] <= 1.0
    assert body["reason"] == "mode_only_on_device"
    streamed = run("ask", *arguments, "-", cwd=tmp_path, stdin=QUESTION)
    assert streamed.returncode == 0
    assert streamed.stderr.startswith("edge (smollm2-135m) answers because ")
    assert streamed.stderr.count("\n") == 1
    assert streamed.stdout == body["content"] + "\n"
