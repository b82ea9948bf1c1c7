"""OpenAI's JSON, written and read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hybridroute.cloud import CloudSettings
from hybridroute.cloud.wire import read_chunk, read_completion, request_body
from hybridroute.edge_runtime.chat import ChatRequest, Usage
from hybridroute.edge_runtime.errors import RequestError

KEY = "sk-planted-key-5f2c"


CALL = {"id": "t1", "type": "function", "function": {"name": "add", "arguments": "{}"}}


def settings(base_url: str = "http://127.0.0.1:9/v1", **more: Any) -> CloudSettings:
    limits = {"connect_timeout_s": 2.0, "chunk_timeout_s": 5.0, "total_timeout_s": 10.0}
    return CloudSettings(base_url=base_url, model="big", **({"api_key": KEY} | limits | more))


def request(text: str = "hi", **more: Any) -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": text},), **more)


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


@pytest.mark.parametrize("count", [2**64, 10**12, -1, True, float("inf"), float("nan"), "3", None])
def test_a_count_of_tokens_that_cannot_be_is_taken_as_not_said(count: Any) -> None:
    """So that the tokens are estimated, and no cost or log row is made of it."""
    for said in ({"prompt_tokens": count}, {"completion_tokens": count}):
        usage = {"prompt_tokens": 3, "completion_tokens": 2, **said}
        assert read_completion({"usage": usage}, model="m", now=0).usage is None
        assert read_chunk({"usage": usage}, id="c", model="m", now=0).usage is None
    total = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": count}
    read = read_completion({"usage": total}, model="m", now=0).usage
    assert read == Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)
