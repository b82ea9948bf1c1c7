"""chat.completions.create: OpenAI's parameters become one checked request."""

from __future__ import annotations

from typing import Any

import pytest
from sdk_fakes import user

from hybridroute.chat_api import Chat
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ConfigError, RequestError
from hybridroute.setting import Setting

HELLO = user("hello")


class _Recorder:
    """An Answerer that keeps what it was asked."""

    def answer(self, request: ChatRequest, **asked: Any) -> Any:
        self.request, self.asked, self.how = request, asked, "whole"

    def begin(self, request: ChatRequest, **asked: Any) -> Any:
        self.request, self.asked, self.how = request, asked, "stream"


def _create(**given: Any) -> _Recorder:
    recorder = _Recorder()
    Chat(recorder).completions.create(**{"messages": HELLO, **given})
    return recorder


def test_messages_alone() -> None:
    seen = _create()
    assert seen.request == ChatRequest(messages=tuple(HELLO))
    assert seen.asked == {"setting": None, "mode": None, "session": None}
    assert seen.how == "whole"


def test_every_parameter_arrives() -> None:
    seen = _create(
        model="auto",
        max_completion_tokens=9,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        stop=["a", "b"],
        n=2,
        tools=[{"type": "function"}],
        tool_choice="auto",
        response_format={"type": "json_object"},
        presence_penalty=0.1,
        frequency_penalty=0.2,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"user": "u"},
        dial=0.7,
        mode="only_in_cloud",
        session="s-1",
    )
    assert seen.how == "stream"
    asked = {"setting": Setting(dial=0.7), "mode": "only_in_cloud", "session": "s-1"}
    assert seen.asked == asked
    assert seen.request == ChatRequest(
        messages=tuple(HELLO),
        max_tokens=9,
        temperature=0.5,
        top_p=0.9,
        seed=7,
        stop=("a", "b"),
        n=2,
        tools=({"type": "function"},),
        tool_choice="auto",
        response_format={"type": "json_object"},
        presence_penalty=0.1,
        frequency_penalty=0.2,
        extra={"user": "u", "stream_options": {"include_usage": True}},
    )


def test_stop_may_be_one_string() -> None:
    assert _create(stop="END").request.stop == ("END",)


def test_the_model_is_the_router_s_to_pick() -> None:
    _create(model="hybridroute")
    with pytest.raises(ConfigError, match=r"model is 'gpt-4o'.*router picks"):
        _create(model="gpt-4o")


@pytest.mark.parametrize("name", ["response_format", "stream_options", "extra_body"])
def test_mappings_are_mappings(name: str) -> None:
    with pytest.raises(RequestError, match=f"{name} is a str"):
        _create(**{name: "json_object"})


def test_one_setting_only() -> None:
    with pytest.raises(ConfigError, match="dial and threshold"):
        _create(dial=0.5, threshold=0.5)


def test_messages_may_be_a_generator() -> None:
    assert _create(messages=(one for one in HELLO)).request.messages == tuple(HELLO)


def test_an_unknown_parameter_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="logprobs"):
        _create(logprobs=True)
