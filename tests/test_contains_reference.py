"""Whether the response holds the reference, word for word."""

from __future__ import annotations

import pytest

from hybridroute.training.quality.contains_reference import contains_reference
from hybridroute.training.quality.protocol import Item


def value(response: str, reference: str) -> float:
    item = Item(query="?", response=response, reference=reference)
    return float(contains_reference().score([item])[0])


@pytest.mark.parametrize(
    ("response", "reference", "wanted"),
    [
        ("We party hard", "art", 0.0),
        ("Modern art, mostly", "the Art", 1.0),
        ("x", "x y", 0.0),
        ("x y", "x y", 1.0),
        ("x z y", "x y", 0.0),
        ("y x", "x y", 0.0),
        ("z x y", "x y", 1.0),
        ("1 + 1", "+", 1.0),
        ("1 - 1", "+", 0.0),
    ],
)
def test_contains_reference_compares_whole_words(
    response: str, reference: str, wanted: float
) -> None:
    assert value(response, reference) == wanted
