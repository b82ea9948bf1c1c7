"""``response_format``: what is wrong with it, whichever arm answers; what is not is let through."""

from __future__ import annotations

from typing import Any

import pytest

from hybridroute.server.api_errors import ApiError
from hybridroute.server.response_format import check_response_format

LISTS = ("anyOf", "allOf", "oneOf", "prefixItems", "items")
NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
ONE = ("items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else")


def of_schema(schema: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}


def refused(held: dict[str, Any], said: str) -> None:
    with pytest.raises(ApiError, match=said) as caught:
        check_response_format(held)
    assert (caught.value.status, caught.value.param) == (400, "response_format")


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"a": {"type": ["string", "null"]}}},
        {"type": "array", "items": [{"type": "integer"}], "additionalItems": False},
        {"properties": {"type": {"type": "string"}}},
        {"enum": [{"type": "no schema"}], "const": {"type": 5}, "default": {"$ref": "x"}},
        {"unknown-word": {"type": "whatever"}},
    ],
)
def test_schemas_that_an_arm_may_take(schema: Any) -> None:
    check_response_format(of_schema(schema))
    check_response_format(of_schema({"anyOf": [schema, True]}))


def test_text_and_any_json_are_taken_whatever_else_is_said() -> None:
    check_response_format({"type": "text"})
    check_response_format({"type": "json_object", "schema": 5})


@pytest.mark.parametrize("kind", ["xml", "", "JSON_OBJECT", None, 5, ["text"]])
def test_another_kind_is_refused(kind: Any) -> None:
    refused({"type": kind}, "use one of text, json_object, json_schema")
    refused({}, "type is not there")


def test_a_long_kind_is_told_in_part() -> None:
    with pytest.raises(ApiError) as caught:
        check_response_format({"type": "x" * 5000})
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("named", [None, "schema", {}, {"schema": None}, {"schema": True}])
def test_a_json_schema_needs_a_schema(named: Any) -> None:
    refused({"type": "json_schema", "json_schema": named}, "json_schema holds no schema")


@pytest.mark.parametrize("wrong", [{"type": "text"}, {"type": ["string", 5]}, {"type": {}}])
def test_a_wrong_type_is_found_at_every_place_of_a_schema(wrong: dict[str, Any]) -> None:
    refused(of_schema(wrong), "json_schema holds a type that is")
    for key in LISTS:
        refused(of_schema({key: [{}, wrong]}), "holds a type that is")
    for key in NAMED:
        refused(of_schema({key: {"a": {}, "b": wrong}}), "holds a type that is")
    for key in ONE:
        refused(of_schema({key: {"not": wrong}}), "holds a type that is")


@pytest.mark.parametrize("wrong", [5, "string", None, [1]])
def test_what_is_no_schema_is_refused_where_one_should_be(wrong: Any) -> None:
    refused(of_schema({"properties": {"a": wrong}}), "where a schema should be")
    refused(of_schema({"anyOf": [wrong]}), "where a schema should be")


@pytest.mark.parametrize(
    "ref",
    ["#", "#/$defs/a", "#/$defs/b~1c", "#/$defs/d~0e", "#/$defs/f%20g", "#/anyOf/0", "#name"],
)
def test_a_reference_within_the_schema_is_taken(ref: str) -> None:
    held = {
        "$defs": {"a": {}, "b/c": {}, "d~e": {}, "f g": {}},
        "anyOf": [{}],
        "not": {"$ref": ref},
    }
    check_response_format(of_schema(held))


@pytest.mark.parametrize("ref", ["#/$defs/no", "#/anyOf/1", "#/anyOf/-1", "#/anyOf/x", "#/a/b/c"])
def test_a_reference_to_nothing_is_refused(ref: str) -> None:
    refused(of_schema({"anyOf": [{}], "$defs": {}, "not": {"$ref": ref}}), "nothing is there")


@pytest.mark.parametrize("ref", ["https://host/schema.json", "other.json#/a", "", 5])
def test_no_other_document_is_fetched(ref: Any) -> None:
    refused(of_schema({"items": {"$ref": ref}}), "another document, and none is fetched")
