"""Bodies of chat requests: what is taken, what is refused and which field is named."""

from __future__ import annotations

from typing import Any

import pytest

from hybridroute.edge_runtime.errors import HybridRouteError
from hybridroute.server.api_errors import ApiError, api_error_of
from hybridroute.server.chat_body import ChatBody, chat_body
from hybridroute.setting import Setting

USER = [{"role": "user", "content": "hello"}]


def _body(headers: dict[str, str] | None = None, **fields: Any) -> ChatBody:
    return chat_body({"messages": USER, **fields}, headers or {}, max_answer_tokens=100)


def _refused(headers: dict[str, str] | None = None, **fields: Any) -> ApiError:
    with pytest.raises((ApiError, HybridRouteError)) as caught:
        _body(headers, **fields)
    return api_error_of(caught.value)


def test_openais_fields_reach_the_request() -> None:
    body = _body(
        model="hybridroute",
        max_completion_tokens=7,
        temperature=0.5,
        top_p=0.9,
        seed=3,
        stop="END",
        n=2,
        tools=[{"type": "function", "function": {"name": "f"}}],
        tool_choice="auto",
        response_format={"type": "json_object"},
        presence_penalty=0.1,
        frequency_penalty=-0.1,
        stream=True,
        stream_options={"include_usage": True},
        user="me",
        logit_bias=None,
    )
    request = body.request
    assert (request.max_tokens, request.temperature, request.top_p) == (7, 0.5, 0.9)
    assert (request.seed, request.stop, request.n) == (3, ("END",), 2)
    assert request.tools[0]["function"]["name"] == "f"
    assert (request.tool_choice, request.response_format) == ("auto", {"type": "json_object"})
    assert (request.presence_penalty, request.frequency_penalty) == (0.1, -0.1)
    assert request.extra == {"user": "me"}
    assert (body.stream, body.include_usage) == (True, True)
    assert (body.setting, body.mode) == (None, None)


@pytest.mark.parametrize("model", [None, "auto", "hybridroute"])
def test_our_names_leave_the_dial_alone(model: str | None) -> None:
    assert _body(model=model).setting is None


@pytest.mark.parametrize(
    ("headers", "fields", "setting"),
    [
        ({}, {"model": "hybridroute:0.8"}, Setting(dial=0.8)),
        ({}, {"model": "auto:1"}, Setting(dial=1.0)),
        ({}, {"dial": 0.3}, Setting(dial=0.3)),
        ({}, {"threshold": 0.3}, Setting(threshold=0.3)),
        ({}, {"cost_advantage": 0}, Setting(cost_advantage=0.0)),
        ({"x-hybridroute-dial": " 0.4 "}, {}, Setting(dial=0.4)),
        ({"x-hybridroute-dial": "0.4"}, {"model": "hybridroute:0.8"}, Setting(dial=0.4)),
        ({"x-hybridroute-dial": "0.4"}, {"dial": 0.1, "model": "auto:1"}, Setting(dial=0.1)),
    ],
)
def test_the_dial_comes_from_body_header_or_name(
    headers: dict[str, str], fields: dict[str, Any], setting: Setting
) -> None:
    assert _body(headers, **fields).setting == setting


def test_the_mode_comes_from_body_or_header() -> None:
    header = {"x-hybridroute-mode": "only_in_cloud"}
    assert _body(header).mode == "only_in_cloud"
    assert _body(header, mode="only_on_device").mode == "only_on_device"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages[0].content"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": -1}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": 101}, "max_tokens"),
        ({"max_tokens": 60, "n": 2}, "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"n": 0}, "n"),
        ({"n": "2"}, "n"),
        ({"seed": "x"}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"presence_penalty": 9}, "presence_penalty"),
        ({"frequency_penalty": "x"}, "frequency_penalty"),
        ({"stop": 5}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"tools": "f"}, "tools"),
        ({"tools": [1]}, "tools[0]"),
        ({"tool_choice": 4}, "tool_choice"),
        ({"response_format": "json"}, "response_format"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"dial": 1.5}, "dial"),
        ({"dial": "high"}, "dial"),
        ({"dial": True}, "dial"),
        ({"threshold": -0.1}, "threshold"),
        ({"mode": "fast"}, "mode"),
        ({"temprature": 1}, "temprature"),
        ({"logprobs": True}, "logprobs"),
        ({"model": 5}, "model"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    error = _refused(**fields)
    assert (error.status, error.type, error.param) == (400, "invalid_request_error", param)


@pytest.mark.parametrize("model", ["gpt-4o", "", "hybridroute-2", "gpt-4o:0.5"])
def test_a_model_that_is_not_ours_is_not_found(model: str) -> None:
    error = _refused(model=model)
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")


@pytest.mark.parametrize("dial", ["", "x", "1.5", "nan", "-1"])
def test_a_dial_in_the_name_or_header_is_checked(dial: str) -> None:
    assert _refused(model=f"hybridroute:{dial}").status == 400
    if dial:
        assert _refused({"x-hybridroute-dial": dial}).status == 400


def test_two_settings_at_once_are_refused() -> None:
    assert "give one of dial" in str(_refused(dial=0.5, threshold=0.5))
