"""Chat requests are checked at birth; answers become OpenAI's objects."""

from __future__ import annotations

import math

import pytest

from hybridroute.edge_runtime.chat import (
    AnswerMessage,
    ChatRequest,
    Choice,
    ChunkChoice,
    Completion,
    CompletionChunk,
    Delta,
    text_of,
)
from hybridroute.edge_runtime.errors import RequestError

HELLO = ({"role": "user", "content": "Hi"},)


@pytest.mark.parametrize(
    ("messages", "param", "said"),
    [
        ((), "messages", "is empty"),
        (("Hi",), "messages[0]", "is a str"),
        (({"content": "Hi"},), "messages[0].role", "is None"),
        (({"role": "robot", "content": "Hi"},), "messages[0].role", "is 'robot'"),
        (({"role": [], "content": "Hi"},), "messages[0].role", "is []"),
        ((*HELLO, {"role": "user", "content": 3}), "messages[1].content", "is a int"),
    ],
)
def test_messages_are_checked(messages: tuple[object, ...], param: str, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        ChatRequest(messages=messages)
    assert caught.value.param == param
    assert str(caught.value).startswith(f"{param} {said}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("max_tokens", True),
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", math.nan),
        ("temperature", "1"),
        ("top_p", 1.1),
        ("n", 0),
        ("n", 1.0),
        ("stop", "END"),
        ("stop", ("",)),
        ("stop", (1,)),
    ],
)
def test_sampling_values_are_checked(field: str, value: object) -> None:
    with pytest.raises(RequestError, match=field) as caught:
        ChatRequest(messages=HELLO, **{field: value})
    assert caught.value.param == field


def test_what_a_request_needs() -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "u"}}]}
    assert ChatRequest(messages=(image,)).has_images
    assert not ChatRequest(messages=HELLO).has_images
    assert ChatRequest(messages=HELLO, response_format={"type": "json_schema"}).wants_json
    assert not ChatRequest(messages=HELLO, response_format={"type": "text"}).wants_json


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Hi", "Hi"),
        (None, ""),
        ([], ""),
        ([{"type": "text", "text": "a"}, {"type": "image_url"}, {"text": "b"}, 3], "a\nb"),
    ],
)
def test_the_text_of_a_message(content: object, text: str) -> None:
    assert text_of({"role": "user", "content": content}) == text


def test_an_answer_is_openais_object() -> None:
    choice = Choice(message=AnswerMessage(content="Hi"), finish_reason="stop")
    assert Completion(id="1", created=2, model="m", choices=(choice,)).to_dict() == {
        "id": "1",
        "created": 2,
        "model": "m",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi"},
                "finish_reason": "stop",
            }
        ],
    }


def test_a_chunk_is_openais_object() -> None:
    chunk = CompletionChunk(
        id="1", created=2, model="m", choices=(ChunkChoice(delta=Delta(content="H")),)
    )
    assert chunk.to_dict()["choices"] == [
        {"index": 0, "delta": {"role": None, "content": "H"}, "finish_reason": None}
    ]
