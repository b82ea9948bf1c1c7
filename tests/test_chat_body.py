"""Bodies of chat requests: what is taken, what is refused and which field is named."""

from __future__ import annotations

from typing import Any

import pytest

from hybridroute.edge_runtime.errors import HybridRouteError
from hybridroute.server.api_errors import ApiError, api_error_of
from hybridroute.server.chat_body import ChatBody, chat_body
from hybridroute.setting import Setting

USER = [{"role": "user", "content": "hello"}]
ANSWER = {"role": "assistant", "content": None}
CALL = "messages[1].tool_calls[0]"


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
        ({"tool_choice": "zzz"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice"),
        ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"metadata": 5}, "metadata"),
        ({"metadata": {"a": 5}}, "metadata"),
        ({"metadata": {"a": "x" * 513}}, "metadata"),
        ({"metadata": {"k" * 65: "x"}}, "metadata"),
        ({"metadata": dict.fromkeys("abcdefghijklmnopq", "x")}, "metadata"),
        ({"logit_bias": []}, "logit_bias"),
        ({"parallel_tool_calls": 1}, "parallel_tool_calls"),
        ({"user": 5}, "user"),
        ({"messages": [{**USER[0], "contents": "x"}]}, "messages[0].contents"),
        ({"messages": [{**USER[0], "name": 5}]}, "messages[0].name"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content[0]"),
        ({"messages": [*USER, {**ANSWER, "tool_calls": "f"}]}, "messages[1].tool_calls"),
        ({"messages": [*USER, {**ANSWER, "tool_calls": ["f"]}]}, CALL),
        ({"messages": [*USER, {**ANSWER, "tool_calls": [{"id": "1"}]}]}, CALL),
        ({"response_format": "json"}, "response_format"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": []}, "stream_options"),
        ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
        ({"stream_options": {"include_all": True}}, "stream_options.include_all"),
        ({"dial": 1.5}, "dial"),
        ({"dial": "high"}, "dial"),
        ({"dial": True}, "dial"),
        ({"threshold": -0.1}, "threshold"),
        ({"promise": {"max_drop": 5}}, "max_drop"),
        ({"model": "hybridroute:high"}, "model"),
        ({"model": "hybridroute:2"}, "dial"),
        ({"mode": "fast"}, "mode"),
        ({"temprature": 1}, "temprature"),
        ({"logprobs": True}, "logprobs"),
        ({"model": 5}, "model"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    error = _refused(**fields)
    assert (error.status, error.type, error.param) == (400, "invalid_request_error", param)


def test_what_openai_knows_is_taken() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    # An answer as OpenAI's own client dumps it, handed back.
    dumped = {**ANSWER, "tool_calls": [call], "refusal": None, "annotations": [], "audio": None}
    result = {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "x"}]}
    body = _body(
        messages=[{**USER[0], "name": "me"}, dumped, result],
        tool_choice={"type": "function", "function": {"name": "f"}},
        stop=["a", "b", "c", "d"],
        metadata={"a": "b"},
        parallel_tool_calls=False,
        stream_options={"include_usage": True, "include_obfuscation": False},
    )
    assert body.include_usage
    assert body.request.extra == {"metadata": {"a": "b"}, "parallel_tool_calls": False}


def _schema(held: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": held}}


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "zzz"},
        {"type": 5},
        {"json_schema": {}},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": "text"},
        {"type": "json_schema", "json_schema": {"schema": True}},
        _schema({"type": "nonsense"}),
        _schema({"type": ["string", "nonsense"]}),
        _schema({"type": "object", "properties": {"a": {"type": "text"}}}),
        _schema({"anyOf": [{"type": "string"}, {"type": 5}]}),
        _schema({"type": "array", "items": "string"}),
        _schema({"$ref": "https://example.org/schema.json"}),
        _schema({"type": "array", "items": {"$ref": "other.json"}}),
        _schema({"$ref": "#/$defs/nowhere"}),
    ],
)
def test_a_response_format_that_no_arm_can_use(wanted: dict[str, Any]) -> None:
    error = _refused(response_format=wanted)
    assert (error.status, error.type) == (400, "invalid_request_error")
    assert error.param == "response_format"


@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "text"},
        {"type": "json_object"},
        _schema({"type": ["string", "null"], "pattern": "a"}),
        # Names of fields that are words of the schema language, too.
        _schema({"type": "object", "properties": {"type": {"type": "string"}, "$ref": True}}),
        _schema({"$defs": {"a/b": {"type": "string"}}, "$ref": "#/$defs/a~1b"}),
        _schema({"anyOf": [{"type": "string"}, {"$ref": "#/anyOf/0"}, {"$ref": "#"}]}),
        _schema({"type": "array", "items": [{"type": "string"}], "additionalItems": False}),
    ],
)
def test_a_response_format_that_is_fine(wanted: dict[str, Any]) -> None:
    assert _body(response_format=wanted).request.response_format == wanted


def test_answers_without_a_length_are_limited_in_their_number() -> None:
    def asked(**fields: Any) -> ChatBody:
        return chat_body({"messages": USER, **fields}, {}, max_answer_tokens=8192)

    assert asked(n=8).request.max_tokens is None
    assert asked(n=128, max_tokens=64).request.n == 128
    for n in (9, 128):
        with pytest.raises(ApiError) as caught:
            asked(n=n)
        assert (caught.value.status, caught.value.param) == (400, "n")
        assert caught.value.code == "max_tokens_too_large"
    assert _body().request.max_tokens is None
    assert _refused(n=2).param == "n"


@pytest.mark.parametrize("model", ["gpt-4o", "", "hybridroute-2", "gpt-4o:0.5"])
def test_a_model_that_is_not_ours_is_not_found(model: str) -> None:
    error = _refused(model=model)
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")


@pytest.mark.parametrize("dial", ["", "x", "1.5", "nan", "-1"])
def test_a_dial_in_the_name_or_header_is_checked(dial: str) -> None:
    assert _refused(model=f"hybridroute:{dial}").status == 400
    if dial:
        assert _refused({"x-hybridroute-dial": dial}).status == 400
    assert _refused({"x-hybridroute-dial": "x"}).param == "x-hybridroute-dial"


def test_two_settings_at_once_are_refused() -> None:
    assert "give one of dial" in str(_refused(dial=0.5, threshold=0.5))
