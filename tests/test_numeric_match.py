"""The last number of a text, and when two of them agree."""

from __future__ import annotations

import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.training.quality.numeric_match import last_number, numeric_match
from hybridroute.training.quality.protocol import Item, UnscorableItemError


def value(response: str, reference: str) -> float:
    item = Item(query="?", response=response, reference=reference)
    return float(numeric_match(1e-9).score([item])[0])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("It costs $1,250.50.", 1250.5),
        ("3-4", 4.0),
        ("from 3 to -4", -4.0),
        ("minus \N{MINUS SIGN}7 degrees", -7.0),
        ("1.5e3", 1500.0),
        ("about .5 of it", 0.5),
        ("1,2,3", 3.0),
        ("v1.2", 1.2),
        ("none at all", None),
        ("", None),
    ],
)
def test_last_number(text: str, wanted: float | None) -> None:
    assert last_number(text) == wanted


def test_numeric_match_keeps_to_its_tolerance() -> None:
    assert value("So it is 42.0", "#### 42") == 1.0
    assert value("1000001", "1000000") == 0.0
    assert value("I do not know", "42") == 0.0
    loose = numeric_match(0.01)
    assert loose.score([Item(query="", response="101", reference="100")])[0] == 1.0
    with pytest.raises(ConfigError, match="tolerance is -1"):
        numeric_match(-1)


def test_a_reference_without_a_number_names_the_item() -> None:
    items = [Item(query="", response="1", reference=text) for text in ("1", "one")]
    with pytest.raises(UnscorableItemError, match="no number") as caught:
        numeric_match(0.0).score(items)
    assert caught.value.index == 1


@pytest.mark.parametrize("bad", [-1e-9, float("nan"), float("inf")])
def test_a_tolerance_is_finite_and_at_least_0(bad: float) -> None:
    with pytest.raises(ConfigError, match="give a finite number, at least 0"):
        numeric_match(bad)


def test_near_0_the_tolerance_is_absolute() -> None:
    near = [Item(query="", response=said, reference="0") for said in ("0.009", "0.011")]
    assert numeric_match(0.01).score(near).tolist() == [1.0, 0.0]
    assert numeric_match(0.0).score(near).tolist() == [0.0, 0.0]
