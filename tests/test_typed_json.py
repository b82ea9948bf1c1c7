"""JSON becomes dataclasses whose fields are what they are annotated as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.typed_json import parse_json, read_as


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    name: str
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    height: float
    kind: Literal["oak", "elm"] = "oak"
    firm: bool = True
    leaves: tuple[Leaf, ...] = ()
    first: Leaf | None = None
    named: Mapping[str, Leaf] = field(default_factory=dict)
    gaps: tuple[float | None, ...] = ()
    anything: Any = None


def test_every_kind_of_field_is_built() -> None:
    text = """{
        "height": 3, "kind": "elm", "firm": false, "leaves": [{"name": "a", "sizes": [1, 2]}],
        "first": {"name": "b"}, "named": {"c": {"name": "c"}}, "gaps": [null, 0.5],
        "anything": {"left": ["as", "it", "is"]}
    }"""
    found = read_as(Tree, parse_json(text), "tree")
    assert found == Tree(
        height=3.0,
        kind="elm",
        firm=False,
        leaves=(Leaf(name="a", sizes=(1, 2)),),
        first=Leaf(name="b"),
        named={"c": Leaf(name="c")},
        gaps=(None, 0.5),
        anything={"left": ["as", "it", "is"]},
    )
    assert isinstance(found.height, float)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ([], "tree must be an object, not list"),
        ({}, "tree is incomplete: .*'height'"),
        ({"height": 1, "width": 2, "age": 3}, r"tree has unknown fields \['age', 'width'\]"),
        ({"height": "1"}, "tree.height must be float, not str"),
        ({"height": True}, "tree.height must be float, not bool"),
        ({"height": None}, "tree.height must be float, not NoneType"),
        ({"height": 10**400}, "tree.height is not finite"),
        ({"height": float("inf")}, "tree.height is not finite"),
        ({"kind": "ash"}, r"tree.kind is 'ash'; it must be one of \('oak', 'elm'\)"),
        ({"kind": ["oak"]}, r"tree.kind is \['oak'\]; it must be one of"),
        ({"firm": 1}, "tree.firm must be bool, not int"),
        ({"leaves": {}}, "tree.leaves must be a list, not dict"),
        ({"leaves": [{"name": "a"}, None]}, r"tree.leaves\[1\] must be an object, not NoneType"),
        ({"leaves": [{"name": "a", "sizes": [1.5]}]}, r"leaves\[0\].sizes\[0\] must be int"),
        ({"leaves": [{"name": "a", "sizes": [True]}]}, r"leaves\[0\].sizes\[0\] must be int"),
        ({"first": {"name": 7}}, "tree.first.name must be str, not int"),
        ({"named": []}, "tree.named must be an object, not list"),
        ({"named": {"c": {}}}, "tree.named.c is incomplete: .*'name'"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(held: Any, said: str) -> None:
    with pytest.raises(BundleError, match=f"^{said}" if said.startswith("tree") else said):
        read_as(Tree, held, "tree")


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", '{"a": -Infinity}'])
def test_only_json_is_parsed(text: str) -> None:
    with pytest.raises(ValueError, match="not a number JSON has|line 1"):
        parse_json(text)
