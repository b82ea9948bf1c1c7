"""``response_format``: what can be seen to be wrong with it, whichever arm answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from hybridroute.server.api_errors import ApiError
from hybridroute.whole_number import whole_number

_KINDS = ("text", "json_object", "json_schema")
_TYPES = ("string", "number", "integer", "boolean", "object", "array", "null")
# Where a JSON schema holds others: one, a list of them, or some by their names.
_ONE = (
    *("items", "contains", "additionalItems", "additionalProperties", "propertyNames", "not"),
    *("if", "then", "else", "unevaluatedItems", "unevaluatedProperties"),
)
_LISTS = ("anyOf", "allOf", "oneOf", "prefixItems", "items")
_NAMED = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


def check_response_format(held: Mapping[str, Any]) -> None:
    """Check a ``response_format``, and the JSON schema in it as far as any arm would refuse it.

    Raises
    ------
    ApiError
        400, with ``response_format`` as the field.
    """
    kind = held.get("type")
    if kind not in _KINDS:
        said = repr(kind[:40]) if isinstance(kind, str) else "not there, or no text"
        raise _refused(f"type is {said}; use one of {', '.join(_KINDS)}")
    if kind != "json_schema":
        return
    named = held.get("json_schema")
    schema = named.get("schema") if isinstance(named, Mapping) else None
    if not isinstance(schema, Mapping):
        raise _refused(
            'json_schema holds no schema; give {"type": "json_schema", "json_schema": {"name": '
            '"...", "schema": {...}}}'
        )
    _check_schema(schema, schema)


def _check_schema(schema: Any, whole: Mapping[str, Any]) -> None:
    """Recursive: a body's depth is limited before."""
    if isinstance(schema, bool):
        return
    if not isinstance(schema, Mapping):
        raise _refused(f"json_schema holds a {type(schema).__name__} where a schema should be")
    types = schema.get("type", [])
    for one in types if isinstance(types, list) else [types]:
        if not isinstance(one, str) or one not in _TYPES:
            said = repr(one[:40]) if isinstance(one, str) else f"of type {type(one).__name__}"
            raise _refused(f"json_schema holds a type that is {said}; use {', '.join(_TYPES)}")
    _check_ref(schema.get("$ref"), whole)
    for inner in _inner(schema):
        _check_schema(inner, whole)


def _check_ref(ref: Any, whole: Mapping[str, Any]) -> None:
    if ref is None:
        return
    if not isinstance(ref, str) or not ref.startswith("#"):
        raise _refused(
            "json_schema holds a $ref to another document, and none is fetched; put the schema "
            "below $defs and refer to it as #/$defs/NAME"
        )
    held: Any = whole
    for part in ref.split("/")[1:] if ref.startswith("#/") else ():
        key = unquote(part).replace("~1", "/").replace("~0", "~")
        place = whole_number(key)
        if isinstance(held, list) and place is not None and place < len(held):
            held = held[place]
        elif isinstance(held, Mapping) and key in held:
            held = held[key]
        else:
            raise _refused(f"json_schema holds the $ref {ref[:80]!r}, and nothing is there")


def _inner(schema: Mapping[str, Any]) -> Iterator[Any]:
    for key in _ONE:
        if key in schema and not isinstance(schema[key], list):
            yield schema[key]
    for key in _LISTS:
        if isinstance(schema.get(key), list):
            yield from schema[key]
    for key in _NAMED:
        if isinstance(schema.get(key), Mapping):
            yield from schema[key].values()


def _refused(what: str) -> ApiError:
    return ApiError(400, f"response_format's {what}", param="response_format")
