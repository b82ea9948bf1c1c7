from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
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
from hybridroute.cloud.wire import estimated_tokens, read_chunk, read_completion, request_body
from hybridroute.edge_runtime.chat import ChatRequest, Usage
from hybridroute.edge_runtime.errors import ArmError, ConfigError, RequestError, StreamInterrupted
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


def test_connections_are_kept_alive_through_answers_and_streams() -> None:
    script = (answer(whole()), stream(piece("a", finish="stop")), answer(whole()))
    with CloudServer(*script) as server:
        arm = CloudArm(settings(server.url))
        arm.complete(request())
        list(arm.stream(request()))
        arm.complete(request())
        arm.close()
    assert [seen.connection for seen in server.seen] == [1, 1, 1]


def test_a_connection_the_server_closed_is_replaced_without_a_retry() -> None:
    def once(visit: Any) -> bool:
        answer(whole())(visit)
        return False

    with CloudServer(once) as server:
        arm = CloudArm(settings(server.url, max_retries=0))
        arm.complete(request())
        assert server.gone.acquire(timeout=5)
        arm.complete(request())
        arm.close()
    assert server.connections == 2


def test_two_threads_at_once_get_connections_of_their_own() -> None:
    meet = threading.Barrier(2, timeout=10)

    def together(visit: Any) -> bool:
        meet.wait()
        return answer(whole(visit.seen.body["messages"][0]["content"]))(visit)

    got: dict[str, str | None] = {}
    with CloudServer(together) as server:
        arm = CloudArm(settings(server.url))

        def ask_for(text: str) -> None:
            got[text] = arm.complete(request(text)).choices[0].message.content

        threads = [threading.Thread(target=ask_for, args=(text,)) for text in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        arm.close()
    assert got == {"a": "a", "b": "b"}
    assert server.connections == 2


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


@pytest.mark.parametrize("has_key", [True, False])
def test_netrc_never_signs_in(
    has_key: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other-secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    more = {} if has_key else {"api_key": None, "api_key_env": ""}
    _, seen = ask(answer(whole()), **more)
    assert seen.headers.get("authorization") == (f"Bearer {KEY}" if has_key else None)


def test_loopback_goes_past_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    completion, _ = ask(answer(whole("direct")), max_retries=0)
    assert completion.choices[0].message.content == "direct"


def test_other_hosts_go_through_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with CloudServer(answer(whole("by proxy"))) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        arm = CloudArm(settings("http://cloud.invalid/v1", allow_insecure_http=True))
        completion = arm.complete(request())
        arm.close()
    assert completion.choices[0].message.content == "by proxy"
    assert proxy.seen[0].path == "http://cloud.invalid/v1/chat/completions"


def test_user_headers_replace_ours_whatever_their_case() -> None:
    _, seen = ask(answer(whole()), headers={"user-agent": "my-app"})
    assert seen.headers["user-agent"] == "my-app"


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


@pytest.mark.parametrize(
    ("behaviour", "ok", "status", "words"),
    [
        (answer({"data": [{"id": "big"}]}), True, 200, "answers"),
        (answer({"data": [{"id": "other"}]}), True, 200, "'big' is not among its 1 models"),
        (answer({}), True, 200, "lists no models"),
        (answer({}, 404), True, 404, "no list of models"),
        (answer({"error": {"message": f"bad {KEY}"}}, 401), False, 401, "check the key"),
        (answer({}, 503), False, 503, "answered 503"),
        (raw(b"not http at all\r\n\r\n"), False, None, "cannot reach"),
    ],
)
def test_reachable(behaviour: Behaviour, ok: bool, status: int | None, words: str) -> None:
    with CloudServer(behaviour) as server:
        arm = CloudArm(settings(server.url))
        seen = arm.reachable()
        arm.close()
    assert (seen.ok, seen.status) == (ok, status)
    assert words in seen.advice
    assert KEY not in repr(seen)
    assert len(server.seen) == 1
    assert (server.seen[0].method, server.seen[0].path) == ("GET", "/v1/models")


def test_reachable_names_its_own_limit_and_a_missing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with CloudServer(raw(b"", wait=True)) as server:
        arm = CloudArm(settings(server.url))
        assert "0.2 s" in arm.reachable(timeout_s=0.2).advice
        arm.close()
    monkeypatch.delenv("TEST_ROUTE_KEY", raising=False)
    arm = CloudArm(settings(server.url, api_key=None, api_key_env="TEST_ROUTE_KEY"))
    seen = arm.reachable()
    assert not seen.ok
    assert "TEST_ROUTE_KEY" in seen.advice


def test_settings_show_no_secret() -> None:
    held = settings(headers={"api-key": "azure-secret-1"})
    shown = repr(held) + repr(CloudArm(held))
    assert KEY not in shown
    assert "azure-secret-1" not in shown
    assert isinstance(hash(held), int)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"base_url": "http://example.com/v1"}, "unencrypted"),
        ({"base_url": "ftp://example.com"}, "scheme"),
        ({"base_url": "https://"}, "no usable host"),
        ({"base_url": "https://host:99999/v1"}, "not a URL"),
        ({"base_url": f"https://user:{KEY}@host/v1"}, "user name"),
        ({"base_url": f"https://host/v1?key={KEY}"}, "query"),
        ({"model": " "}, "model is empty"),
        ({"api_key": ""}, "api_key is empty"),
        ({"api_key": f"{KEY}\r\nX: y"}, "api_key is empty or not plain"),
        ({"api_key_env": KEY}, "not a variable's name"),
        ({"headers": {"X-A": f"{KEY}\n"}}, "the header X-A"),
        ({"headers": {"X A": "b"}}, "a name that HTTP does not allow"),
        ({"connect_timeout_s": 0}, "connect_timeout_s is 0"),
        ({"total_timeout_s": float("nan")}, "total_timeout_s is nan"),
        ({"chunk_timeout_s": "1"}, "chunk_timeout_s is '1'"),
        ({"max_retries": -1}, "max_retries is -1"),
        ({"context_tokens": 0}, "context_tokens is 0"),
        ({"max_response_bytes": 0}, "max_response_bytes is 0"),
        ({"price_in_usd_per_million": -0.5}, "price_in_usd_per_million is -0.5"),
        ({"max_tokens_field": "tokens"}, "max_tokens_field is 'tokens'"),
    ],
)
def test_wrong_settings_are_named_without_secrets(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CloudSettings(**({"base_url": "https://host/v1", "model": "big"} | more))
    assert words in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "base_url", ["http://localhost:8080/v1", "http://[::1]:1/v1", "http://127.9.9.9", "https://h"]
)
def test_hosts_that_are_allowed(base_url: str) -> None:
    assert settings(base_url).base_url == base_url


@pytest.mark.parametrize("name", ["messages", "stream", "model"])
def test_extra_cannot_replace_what_is_ours(name: str) -> None:
    with pytest.raises(RequestError, match=name):
        request_body(request(extra={name: 1}), settings(), stream=False)


def test_extra_is_merged_last_and_the_rest_left_out() -> None:
    chat = request(temperature=0.5, extra={"temperature": 0.1, "logit_bias": {"5": 1}})
    body = json.loads(request_body(chat, settings(), stream=False))
    assert set(body) == {"model", "messages", "temperature", "logit_bias"}
    assert body["temperature"] == 0.1


def test_body_takes_surrogates_and_the_other_name_for_max_tokens() -> None:
    held = settings(max_tokens_field="max_completion_tokens")
    body = json.loads(request_body(request("\ud800\x00 漢", max_tokens=3), held, stream=False))
    assert body["messages"][0]["content"] == "\ud800\x00 漢"
    assert body["max_completion_tokens"] == 3


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_body_refuses_what_json_cannot_hold(value: Any) -> None:
    with pytest.raises(RequestError, match="JSON"):
        request_body(request(extra={"field": value}), settings(), stream=False)


def test_reading_lives_with_what_is_missing() -> None:
    bare = read_completion({}, model="big", now=9)
    assert (bare.id, bare.created, bare.model, bare.choices, bare.usage) == ("", 9, "big", (), None)
    odd = {"choices": [{"message": None}, 5, {"index": "x"}], "usage": {"prompt_tokens": "3"}}
    odd_read = read_completion(odd, model="big", now=9)
    assert [choice.index for choice in odd_read.choices] == [0, 1]
    assert odd_read.usage is None
    chunk = read_chunk({"choices": None, "usage": None}, id="c", model="big", now=9)
    assert (chunk.id, chunk.choices) == ("c", ())


def test_text_parts_in_an_answer_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    payload = {"choices": [{"message": {"content": parts}}]}
    assert read_completion(payload, model="m", now=0).choices[0].message.content == "a\nb"


def test_token_estimate() -> None:
    assert estimated_tokens([{"role": "user", "content": "abcde"}]) == 3 + 4 + 2
    assert estimated_tokens([{"role": "user", "content": "漢字"}]) == 3 + 4 + 2
    with_call = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    assert estimated_tokens([with_call]) > 20
    assert estimated_tokens([{"role": "user", "content": "\ud800"}]) == 3 + 4 + 1


def test_compressed_answers_are_unpacked() -> None:
    import gzip

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
