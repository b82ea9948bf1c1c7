"""Exact match after normalisation."""

from __future__ import annotations

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.quality.exact_match import exact_match
from hybridroute.training.quality.protocol import Item


def value(response: str, reference: str) -> float:
    item = Item(query="?", response=response, reference=reference)
    return float(exact_match().score([item])[0])


@pytest.mark.parametrize(
    ("response", "reference", "wanted"),
    [
        ("The Eiffel Tower.", "eiffel tower", 1.0),
        ("Eiffel  tower\n", "an Eiffel tower!", 1.0),
        ("Eiffel tower in Paris", "Eiffel tower", 0.0),
        ("-", "+", 0.0),  # both vanish when normalised
        ("+", "+", 1.0),
        ("B", "A", 0.0),  # "A" alone is an article
        ("a", "A", 1.0),
    ],
)
def test_exact_match(response: str, reference: str, wanted: float) -> None:
    assert value(response, reference) == wanted


def test_it_is_whole_words_in_order_that_match() -> None:
    assert value("tower eiffel", "eiffel tower") == 0.0
    assert value("eiffeltower", "eiffel tower") == 0.0
    assert value("eiffel-tower", "eiffeltower") == 1.0, "punctuation goes, and no space takes it"


def test_a_blank_response_is_wrong_unasked_and_a_reference_is_needed() -> None:
    held = exact_match()
    assert (held.name, held.blank, held.range) == ("exact-match", 0.0, (0.0, 1.0))
    assert held.needs_reference
    for reference in (None, " "):
        with pytest.raises(DataError, match="reference is missing"):
            held.score([Item(query="?", response="x", reference=reference)])
