"""OpenAI's parameters that are sent on, and those that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from hybridroute.edge_runtime.errors import RequestError
from hybridroute.openai_fields import REFUSED, SENT_ON, refuse, sent_on

GOOD: dict[type, Any] = {Mapping: {"a": 1}, bool: False, str: "text"}
BAD: dict[type, Any] = {Mapping: [1], bool: "false", str: 5}


def test_what_is_given_is_sent_on_and_what_is_none_is_not() -> None:
    given = {name: GOOD[kind] for name, kind in SENT_ON.items()}
    assert sent_on(given, None) == given
    assert sent_on(dict.fromkeys(SENT_ON), None) == {}


@pytest.mark.parametrize("name", SENT_ON)
def test_a_value_of_another_type_is_refused_by_name(name: str) -> None:
    with pytest.raises(RequestError, match=f"{name} is a ") as caught:
        sent_on({name: BAD[SENT_ON[name]]}, None)
    assert caught.value.param == name


def test_the_extra_body_counts_where_both_name_a_field_and_is_not_looked_into() -> None:
    found = sent_on({"user": "a", "store": True}, {"user": 5, "top_k": [1]})
    assert found == {"user": 5, "store": True, "top_k": [1]}
    for bad in ("x", [1], True):
        with pytest.raises(RequestError, match="extra_body"):
            sent_on({}, bad)  # type: ignore[arg-type]


def test_the_callers_own_mapping_stays_as_it_is() -> None:
    extra = {"top_k": 1}
    sent_on({"user": "a"}, extra)["more"] = 1
    assert extra == {"top_k": 1}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_honoured_is_refused_with_what_to_do(name: str) -> None:
    with pytest.raises(RequestError, match=f"{name} is given, and ") as caught:
        refuse({name: 1})
    assert REFUSED[name] in str(caught.value)
    assert caught.value.param == name


def test_a_value_that_asks_for_nothing_passes() -> None:
    for nothing in (None, False, 0, (), {}):
        refuse(dict.fromkeys(REFUSED, nothing))
    refuse({"modalities": ["text"]})
    with pytest.raises(RequestError, match="modalities"):
        refuse({"modalities": ["text", "audio"]})


def test_nothing_is_both_sent_on_and_refused() -> None:
    assert not SENT_ON.keys() & REFUSED.keys()
