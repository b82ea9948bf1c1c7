"""The engines on a ``response_format``: the caller's mistakes, and what another arm may do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hybridroute.attempts import is_arms_fault
from hybridroute.edge_runtime import engine_llama_cpp, engine_xllamacpp
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ArmError, ArmRefused

HELLO = ({"role": "user", "content": "Hi"},)


def _schema(held: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "it", "schema": held}}


@pytest.mark.parametrize("check", [engine_llama_cpp._grammar, engine_xllamacpp._check_format])
@pytest.mark.parametrize(
    "wanted",
    [
        {"type": "zzz"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": "text"},
        _schema("text"),
    ],
)
def test_a_wrong_shape_is_the_callers_mistake(
    check: Callable[[Any], object], wanted: dict[str, Any]
) -> None:
    if check is engine_llama_cpp._grammar:
        pytest.importorskip("llama_cpp")
    with pytest.raises(ArmRefused, match="response_format is of type") as caught:
        check(wanted)
    assert (caught.value.status, caught.value.param) == (400, "response_format")
    assert not is_arms_fault(caught.value)


def test_a_schema_that_llama_cpp_cannot_use_may_suit_another_arm() -> None:
    pytest.importorskip("llama_cpp")
    with pytest.raises(ArmRefused, match="response_format holds a JSON schema") as caught:
        engine_llama_cpp._grammar(_schema({"type": "string", "pattern": "open"}))
    assert is_arms_fault(caught.value)
    assert caught.value.param == "response_format"


def test_xllamacpp_names_the_schema_where_that_is_what_failed() -> None:
    wanted = ChatRequest(messages=HELLO, response_format=_schema({"type": "nonsense"}))
    said = ValueError("Unable to generate. JSON schema error at #: unrecognized type nonsense")
    failure = engine_xllamacpp._failure(wanted, said)
    assert isinstance(failure, ArmRefused)
    assert str(failure).startswith("response_format holds a JSON schema")
    assert failure.param == "response_format"
    plain = engine_xllamacpp._failure(ChatRequest(messages=HELLO), said)
    assert type(plain) is ArmError
