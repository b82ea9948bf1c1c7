"""The parts of a request that decide which arm can answer."""

from __future__ import annotations

from typing import Any

import pytest
from sdk_fakes import user

from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import RequestError
from hybridroute.routed_request import routed_request

TOOL = {"type": "function", "function": {"name": "f"}}


def made(**given: Any) -> ChatRequest:
    held = {
        "messages": user("hello"),
        "max_tokens": None,
        "tools": None,
        "response_format": None,
        "logit_bias": None,
        "web_search_options": None,
    }
    return routed_request(**{**held, **given})


def test_messages_alone_are_a_plain_request() -> None:
    assert made() == ChatRequest(messages=tuple(user("hello")))


def test_any_iterable_of_messages_and_tools_will_do() -> None:
    found = made(messages=iter(user("hello")), tools=(tool for tool in [TOOL]))
    assert (found.messages, found.tools) == (tuple(user("hello")), (TOOL,))


def test_every_part_that_an_arm_can_lack_is_kept() -> None:
    found = made(
        max_tokens=9,
        tools=[TOOL],
        response_format={"type": "json_object"},
        logit_bias={"5": -100},
        web_search_options={"search_context_size": "low"},
    )
    assert (found.max_tokens, found.tools) == (9, (TOOL,))
    assert found.wants_json
    assert found.has_logit_bias
    assert found.wants_web_search


def test_empty_parts_ask_for_nothing_but_a_search() -> None:
    """Empty search options ask for one."""
    found = made(tools=[], response_format={}, logit_bias={}, web_search_options={})
    assert (found.tools, found.response_format) == ((), None)
    assert not found.wants_json
    assert not found.has_logit_bias
    assert found.wants_web_search


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"messages": "hello"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": None}, "messages"),
        ({"messages": [{"role": "nobody", "content": "x"}]}, "messages[0].role"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"tools": {"type": "function"}}, "tools"),
        ({"tools": ["f"]}, "tools[0]"),
        ({"response_format": "json"}, "response_format"),
        ({"logit_bias": [5]}, "logit_bias"),
        ({"web_search_options": True}, "web_search_options"),
    ],
)
def test_a_malformed_part_is_named(given: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        made(**given)
    assert caught.value.param == param
