"""JSON read as frozen dataclasses: every field is of its annotated type, or its place is named.

What is read is a bundle's: the errors speak of one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from hybridroute.edge_runtime.errors import BundleError

T = TypeVar("T")


def parse_json(text: str) -> Any:
    """The value of a JSON text, without the NaN and Infinity that Python's reader takes.

    Raises
    ------
    ValueError
        If it is not JSON.
    RecursionError
        If it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse_constant)


def read_as(kind: type[T], held: Any, where: str) -> T:
    """Build the dataclass ``kind`` from a parsed JSON object.

    Fields may be dataclasses, tuples of one type, mappings, Literals, scalars, ``Any``, and any of
    these or None.

    Parameters
    ----------
    kind : type
        A dataclass.
    held : object
        What :func:`parse_json` gave.
    where : str
        What the object is called in errors.

    Raises
    ------
    BundleError
        If a field is missing, unknown, not finite, not among its Literal's values or of a wrong
        type; names its place, such as ``manifest.arms[0].name``.
    """
    if not isinstance(held, dict):
        raise BundleError(f"{where} must be an object, not {type(held).__name__}")
    hints = get_type_hints(kind)
    unknown = sorted(set(held) - set(hints))
    if unknown:
        raise BundleError(f"{where} has unknown fields {unknown}; the bundle was altered")
    values = {name: _value(hints[name], item, f"{where}.{name}") for name, item in held.items()}
    try:
        return kind(**values)
    except TypeError as exc:
        raise BundleError(f"{where} is incomplete: {exc}") from exc


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number JSON has")


def _value(kind: Any, held: Any, where: str) -> Any:
    """One value of any of the types that a field may have."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return None if held is None else _value(inner[0], held, where)
    if hasattr(kind, "__dataclass_fields__"):
        return read_as(kind, held, where)
    if origin is tuple:
        if not isinstance(held, list):
            raise BundleError(f"{where} must be a list, not {type(held).__name__}")
        return tuple(_value(inner[0], item, f"{where}[{i}]") for i, item in enumerate(held))
    if origin is Mapping:
        if not isinstance(held, dict):
            raise BundleError(f"{where} must be an object, not {type(held).__name__}")
        return {key: _value(inner[1], item, f"{where}.{key}") for key, item in held.items()}
    if origin is Literal:
        if held not in inner:
            raise BundleError(f"{where} is {held!r}; it must be one of {inner}")
        return held
    return held if kind is Any else _scalar(kind, held, where)


def _scalar(kind: Any, held: Any, where: str) -> Any:
    if kind is float and isinstance(held, (int, float)) and not isinstance(held, bool):
        return _finite(held, where)
    if not isinstance(held, kind) or (kind is int and isinstance(held, bool)):
        raise BundleError(f"{where} must be {kind.__name__}, not {type(held).__name__}")
    return held


def _finite(held: float, where: str) -> float:
    try:
        value = float(held)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise BundleError(f"{where} is not finite; the bundle was altered")
    return value
