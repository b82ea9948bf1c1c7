"""The client with nothing faked: ONNX router, SmolLM2 in this process, a cloud over real HTTP."""

from __future__ import annotations

import gc
import json
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloud_server as play
import pytest
from tiny_bundle import write_tiny_bundle

from hybridroute import (
    ArmError,
    ArmUnavailable,
    CloudSettings,
    HybridClient,
    LlamaArm,
    StreamInterrupted,
)
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.engines import installed_engines
from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.edge_runtime.model_registry import resolve

pytestmark = pytest.mark.real

EASY = [{"role": "user", "content": "easy easy easy easy"}]
HARD = [{"role": "user", "content": "hard hard hard hard"}]
KEY = "sk-test-0123456789"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    weights = {"easy": 20.0, "hard": -20.0}
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny", weights=weights)


@pytest.fixture(scope="module")
def edge() -> Iterator[LlamaArm]:
    try:
        resolve("smollm2-135m")
    except ModelMissing as exc:
        pytest.skip(str(exc))
    if not installed_engines():
        pytest.skip("no llama.cpp engine is installed")
    arm = LlamaArm("smollm2-135m")
    yield arm
    arm.close()


def _settings(url: str, **changes: Any) -> CloudSettings:
    return CloudSettings(base_url=url, model="big-1", api_key=KEY, max_retries=0, **changes)


def _refused() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def _ask(client: HybridClient, messages: Any, **given: Any) -> Any:
    return client.chat.completions.create(
        messages=messages, max_tokens=8, temperature=0.0, seed=1, **given
    )


def test_each_query_goes_to_its_arm(bundle: Bundle, edge: LlamaArm) -> None:
    with play.CloudServer(play.answer(play.whole("from afar"))) as server:
        client = HybridClient(bundle, edge=edge, cloud=_settings(server.url), threshold=0.5)
        easy, hard = _ask(client, EASY), _ask(client, HARD)
        assert (easy.hybridroute.arm, easy.model) == ("edge", "smollm2-135m")
        assert easy.choices[0].message.content
        assert easy.usage is not None
        assert hard.hybridroute.arm == "cloud"
        assert hard.choices[0].message.content == "from afar"
        assert len(server.seen) == 1
        assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
        client.threshold = 1.01
        assert _ask(client, EASY).hybridroute.arm == "cloud"
    assert KEY not in json.dumps([easy.to_dict(), hard.to_dict()])


def test_a_refused_connection_falls_back_to_the_device(bundle: Bundle, edge: LlamaArm) -> None:
    client = HybridClient(bundle, edge=edge, cloud=_settings(_refused()), threshold=0.5)
    answer = _ask(client, HARD)
    assert (answer.hybridroute.arm, answer.hybridroute.reason) == ("edge", "fallback")
    assert str(answer.hybridroute.fallback_error).startswith("ArmUnavailable: cannot reach")
    chunks = list(_ask(client, HARD, stream=True))
    assert "".join(one.choices[0].delta.content or "" for one in chunks if one.choices)
    assert {one.hybridroute.fallback_from for one in chunks} == {"cloud"}


def test_a_wrong_key_falls_back_and_is_told_without_the_key(bundle: Bundle, edge: LlamaArm) -> None:
    refusal = {"error": {"message": f"Incorrect API key provided: {KEY}"}}
    with play.CloudServer(play.answer(refusal, 401)) as server:
        client = HybridClient(bundle, edge=edge, cloud=_settings(server.url), threshold=0.5)
        decision = _ask(client, HARD).hybridroute
    assert decision.arm == "edge"
    assert "401" in str(decision.fallback_error)
    assert KEY not in json.dumps(decision.to_dict())


def test_a_stream_cut_before_its_first_token_falls_back(bundle: Bundle, edge: LlamaArm) -> None:
    opening = {"index": 0, "delta": {"role": "assistant", "content": ""}}
    with play.CloudServer(play.stream(play.piece(choices=[opening]), done=False)) as server:
        client = HybridClient(bundle, edge=edge, cloud=_settings(server.url), threshold=0.5)
        chunks = list(_ask(client, HARD, stream=True))
    assert {one.model for one in chunks} == {"smollm2-135m"}
    assert {one.hybridroute.reason for one in chunks} == {"fallback"}


def test_a_stream_cut_in_the_middle_does_not(bundle: Bundle, edge: LlamaArm) -> None:
    with play.CloudServer(play.stream(play.piece("Once"), done=False)) as server:
        client = HybridClient(bundle, edge=edge, cloud=_settings(server.url), threshold=0.5)
        stream = _ask(client, HARD, stream=True)
        assert next(stream).choices[0].delta.content == "Once"
        with pytest.raises(StreamInterrupted):
            list(stream)
    assert stream.decision.arm == "cloud"


@pytest.mark.parametrize("messages", [EASY, HARD], ids=["at once", "after a fallback"])
def test_an_abandoned_stream_is_cancelled_at_once(
    bundle: Bundle, edge: LlamaArm, messages: Any
) -> None:
    """Not when the collector comes by: the engine answers one at a time, others would wait."""
    client = HybridClient(bundle, edge=edge, cloud=_settings(_refused()), threshold=0.5)
    abandoned = client.chat.completions.create(messages=messages, stream=True, seed=1)
    next(abandoned)
    of_the_arm = weakref.ref(abandoned._chunks)
    gc.disable()
    try:
        del abandoned
        assert of_the_arm() is None
    finally:
        gc.enable()
    assert _ask(client, EASY).choices[0].message.content


def test_closing_the_client_ends_a_stream_and_its_threads(bundle: Bundle, edge: LlamaArm) -> None:
    before = set(threading.enumerate())
    client = HybridClient(bundle, mode="only_on_device")
    stream = client.chat.completions.create(messages=EASY, stream=True, seed=1)
    next(stream)
    started = set(threading.enumerate()) - before
    assert started
    client.close()
    with pytest.raises(ArmError, match="closed"):
        list(stream)
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


def test_both_down_is_one_typed_error(bundle: Bundle) -> None:
    cloud = _settings(_refused())
    client = HybridClient(bundle, edge="/nowhere/none.gguf", cloud=cloud, threshold=0.5)
    with pytest.raises(ArmUnavailable) as caught:
        _ask(client, EASY)
    assert "ModelMissing" in caught.value.__notes__[0]


_ON_DEVICE = """
import sys
opened = []
sys.addaudithook(lambda event, args: opened.append(event) if event == "socket.connect" else None)
from hybridroute import HybridClient
with HybridClient(sys.argv[1], mode="only_on_device") as client:
    client.warm_up()
    answer = client.chat.completions.create(
        messages=[{"role": "user", "content": "hard"}], max_tokens=4
    )
    assert answer.hybridroute.reason == "mode_only_on_device"
assert not opened, opened
banned = {"requests", "urllib3", "hybridroute.cloud"} & set(sys.modules)
assert not banned, banned
"""


def test_only_on_device_answers_without_network_code(bundle: Bundle, edge: LlamaArm) -> None:
    edge.warm_up()
    if edge.engine_name != "llama-cpp-python":
        pytest.skip("the other engine talks to its library over a socket of its own")
    done = subprocess.run(
        [sys.executable, "-c", _ON_DEVICE, str(Path(bundle.path))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
