"""The cloud arm against a real server that behaves."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cloud_server import (
    PLAIN_STREAM_HEAD,
    Behaviour,
    CloudServer,
    answer,
    call_threads,
    chunked,
    endless,
    events,
    head,
    piece,
    raw,
    stream,
    whole,
)

from hybridroute.cloud import CloudArm, CloudSettings
from hybridroute.edge_runtime.chat import ChatRequest, Usage
from hybridroute.edge_runtime.errors import ArmError, StreamInterrupted
from hybridroute.edge_runtime.protocols import Arm

KEY = "sk-planted-key-5f2c"


TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


CALL = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": "{}"}}


def settings(base_url: str = "http://127.0.0.1:9/v1", **more: Any) -> CloudSettings:
    limits = {"connect_timeout_s": 2.0, "chunk_timeout_s": 5.0, "total_timeout_s": 10.0}
    return CloudSettings(base_url=base_url, model="big", **({"api_key": KEY} | limits | more))


def request(text: str = "hi", **more: Any) -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": text},), **more)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert call_threads() == []


def ask(behaviour: Behaviour, *, chat: ChatRequest | None = None, **more: Any) -> Any:
    with CloudServer(behaviour) as server:
        arm = CloudArm(settings(server.url, **more))
        try:
            return arm.complete(chat or request()), server.seen[0]
        finally:
            arm.close()


def test_it_is_an_arm() -> None:
    arm: Arm = CloudArm(settings(context_tokens=8000, images=False))
    assert isinstance(arm, Arm)
    assert (arm.name, arm.model, arm.place) == ("cloud", "big", "cloud")
    assert arm.capabilities.context_tokens == 8000
    assert arm.capabilities.tools
    assert not arm.capabilities.images


def test_complete_sends_openai_json_and_reads_it() -> None:
    with CloudServer(answer(whole("hello"))) as server:
        arm = CloudArm(settings(server.url + "/", headers={"X-Team": "route-team-9"}))
        completion = arm.complete(request("2+2?", max_tokens=5, stop=("\n",), extra={"user": "u"}))
        arm.close()
    seen = server.seen[0]
    assert (seen.method, seen.path) == ("POST", "/v1/chat/completions")
    assert seen.headers["authorization"] == f"Bearer {KEY}"
    assert seen.headers["x-team"] == "route-team-9"
    assert seen.body == {
        "model": "big",
        "messages": [{"role": "user", "content": "2+2?"}],
        "max_tokens": 5,
        "stop": ["\n"],
        "user": "u",
    }
    assert completion.model == "big-1"
    assert completion.choices[0].message.content == "hello"
    assert completion.usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)


def test_complete_passes_tools_both_ways() -> None:
    payload = whole()
    payload["choices"][0] = {
        "message": {"role": "assistant", "content": None, "tool_calls": [CALL]},
        "finish_reason": "tool_calls",
    }
    completion, seen = ask(answer(payload), chat=request(tools=(TOOL,), tool_choice="auto"))
    assert seen.body["tools"] == [TOOL]
    assert seen.body["tool_choice"] == "auto"
    assert completion.choices[0].message.tool_calls == (CALL,)
    assert completion.choices[0].finish_reason == "tool_calls"


def test_stream_gives_chunks_and_usage() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    script = stream(
        piece("he"), piece("llo"), piece(finish="stop"), {"choices": [], "usage": usage}
    )
    with CloudServer(script) as server:
        arm = CloudArm(settings(server.url))
        chunks = list(arm.stream(request()))
        arm.close()
    assert server.seen[0].body["stream"] is True
    assert server.seen[0].body["stream_options"] == {"include_usage": True}
    assert [c.delta.content for chunk in chunks for c in chunk.choices] == ["he", "llo", None]
    assert chunks[2].choices[0].finish_reason == "stop"
    assert chunks[3].usage == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
    assert {chunk.id for chunk in chunks} == {"c-1"}


def test_stream_usage_can_be_left_out() -> None:
    with CloudServer(stream(piece("a", finish="stop"))) as server:
        arm = CloudArm(settings(server.url, stream_usage=False))
        list(arm.stream(request()))
        arm.close()
    assert "stream_options" not in server.seen[0].body


def test_stream_passes_tool_calls() -> None:
    delta = {"choices": [{"index": 0, "delta": {"tool_calls": [CALL]}, "finish_reason": "stop"}]}
    with CloudServer(stream(delta)) as server:
        arm = CloudArm(settings(server.url))
        (chunk,) = arm.stream(request())
        arm.close()
    assert chunk.choices[0].delta.tool_calls == (CALL,)


def test_stream_hands_over_each_chunk_before_the_next_is_sent() -> None:
    go_on = threading.Event()

    def behave(visit: Any) -> bool:
        visit.send(PLAIN_STREAM_HEAD + events(piece("first"), done=False))
        assert go_on.wait(10)
        visit.send(events(piece("second", finish="stop")))
        return False

    with CloudServer(behave) as server:
        arm = CloudArm(settings(server.url))
        reader = arm.stream(request())
        assert next(reader).choices[0].delta.content == "first"
        go_on.set()
        assert [chunk.choices[0].delta.content for chunk in reader] == ["second"]
        arm.close()


@pytest.mark.parametrize("done", [True, False])
def test_a_finish_reason_or_done_ends_a_stream(done: bool) -> None:
    with CloudServer(stream(piece("a", finish="stop"), done=done)) as server:
        arm = CloudArm(settings(server.url))
        assert len(list(arm.stream(request()))) == 1
        arm.close()


def test_every_begun_choice_must_finish_when_done_is_missing() -> None:
    two = piece("a", finish="stop")
    two["choices"].append({"index": 1, "delta": {"content": "b"}, "finish_reason": None})
    with CloudServer(stream(two, done=False)) as server:
        arm = CloudArm(settings(server.url))
        with pytest.raises(StreamInterrupted, match="before the answer was complete"):
            list(arm.stream(request(n=2)))
        arm.close()


def test_dropping_a_stream_closes_its_connection() -> None:
    with CloudServer(endless) as server:
        arm = CloudArm(settings(server.url))
        reader = arm.stream(request())
        next(reader)
        del reader
        assert server.gone.acquire(timeout=5)
        assert call_threads() == []
        arm.close()


def test_leaving_a_stream_by_its_context_closes_its_connection() -> None:
    with CloudServer(endless) as server:
        arm = CloudArm(settings(server.url))
        with arm.stream(request()) as reader:
            next(reader)
        assert server.gone.acquire(timeout=5)
        assert list(reader) == []
        reader.close()
        arm.close()


def test_the_key_is_read_at_call_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with CloudServer(answer(whole())) as server:
        arm = CloudArm(settings(server.url, api_key=None, api_key_env="TEST_ROUTE_KEY"))
        monkeypatch.setenv("TEST_ROUTE_KEY", "sk-first-key\n")
        arm.complete(request())
        monkeypatch.setenv("TEST_ROUTE_KEY", "sk-second-key")
        arm.complete(request())
        arm.close()
    assert [seen.headers["authorization"] for seen in server.seen] == [
        "Bearer sk-first-key",
        "Bearer sk-second-key",
    ]


def test_warm_up_sends_nothing_and_close_is_final() -> None:
    with CloudServer(answer(whole())) as server:
        arm = CloudArm(settings(server.url))
        arm.warm_up()
        assert server.connections == 0
        arm.close()
        arm.close()
        with pytest.raises(ArmError, match="closed"):
            arm.complete(request())
        with pytest.raises(ArmError, match="closed"):
            arm.stream(request())


def test_compressed_answers_are_unpacked() -> None:
    body = gzip.compress(json.dumps(whole("packed")).encode())
    completion, seen = ask(answer(body, content_encoding="gzip"))
    assert completion.choices[0].message.content == "packed"
    assert seen.headers["accept-encoding"] == "identity"


def test_keep_alive_comments_and_split_characters_in_a_stream() -> None:
    data = b": waiting\n\n" + events(piece("é漢😀", finish="stop"))
    bytes_one_by_one = b"".join(chunked(bytes([byte])) for byte in data) + b"0\r\n\r\n"
    first = head(content_type="text/event-stream", transfer_encoding="chunked")
    with CloudServer(raw(first + bytes_one_by_one)) as server:
        arm = CloudArm(settings(server.url))
        (chunk,) = arm.stream(request())
        arm.close()
    assert chunk.choices[0].delta.content == "é漢😀"


def test_imports_stay_light() -> None:
    code = (
        "import sys, hybridroute; assert 'hybridroute.cloud' not in sys.modules\n"
        "from hybridroute.cloud import CloudSettings; assert 'requests' not in sys.modules\n"
        "from hybridroute.cloud import CloudArm\n"
        "assert not [n for n in sys.modules if n.startswith('hybridroute.training')]\n"
        "assert 'torch' not in sys.modules and 'llama_cpp' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
