"""Arguments: wrong shapes end in one clear RequestError."""

from __future__ import annotations

from typing import Any

import pytest
from sdk_fakes import user

from hybridroute.arguments import (
    flag_of,
    mapping_of,
    messages_of,
    one_limit,
    stops_of,
    tools_of,
)
from hybridroute.edge_runtime.errors import RequestError


@pytest.mark.parametrize("bad", ["hello", b"hello", {"role": "user"}, None, 3])
def test_messages_are_a_list(bad: Any) -> None:
    assert messages_of(iter(user("hi"))) == tuple(user("hi"))
    with pytest.raises(RequestError, match=r"messages is a \w+; give a list such as") as caught:
        messages_of(bad)
    assert caught.value.param == "messages"


@pytest.mark.parametrize("bad", ["text", 3, [3], [None, {}], {"type": "function"}])
def test_tools_are_mappings(bad: Any) -> None:
    assert tools_of(None) == tools_of([]) == ()
    assert tools_of([{"type": "function"}]) == ({"type": "function"},)
    with pytest.raises(RequestError, match="tools"):
        tools_of(bad)


@pytest.mark.parametrize("bad", [3, b"END", {"a": 1}])
def test_stops_are_one_string_or_a_list(bad: Any) -> None:
    assert stops_of(None) == ()
    assert stops_of("END") == ("END",)
    assert stops_of(["a", "b"]) == ("a", "b")
    with pytest.raises(RequestError, match="stop is a"):
        stops_of(bad)


def test_a_mapping_is_copied() -> None:
    given = {"a": 1}
    copied = mapping_of("extra_body", given)
    given["a"] = 2
    assert copied == {"a": 1}
    assert mapping_of("extra_body", None) == {}
    with pytest.raises(RequestError, match="extra_body is a list; give a mapping") as caught:
        mapping_of("extra_body", [])
    assert caught.value.param == "extra_body"


def test_both_limits_only_if_they_agree() -> None:
    assert one_limit(None, None) is None
    assert one_limit(5, None) == one_limit(None, 5) == one_limit(5, 5) == 5
    with pytest.raises(RequestError, match="max_tokens is 5 and max_completion_tokens 6"):
        one_limit(5, 6)


def test_a_flag_is_a_truth_value_and_no_text() -> None:
    assert [flag_of("stream", one) for one in (True, False, None)] == [True, False, False]
    for bad in ("yes", "false", 1, []):
        with pytest.raises(RequestError, match="stream is .*; give True or False") as caught:
            flag_of("stream", bad)
        assert caught.value.param == "stream"
