"""F1 over words, counted with repeats."""

from __future__ import annotations

from itertools import product

import pytest

from hybridroute.training.quality.protocol import Item
from hybridroute.training.quality.token_f1 import token_f1


def value(response: str, reference: str) -> float:
    item = Item(query="?", response=response, reference=reference)
    return float(token_f1().score([item])[0])


def test_token_f1_counts_repeats() -> None:
    # shared: cat once, sat once; 2 * 2 / (2 + 4)
    assert value("cat cat sat down", "The cat sat") == pytest.approx(2 / 3)
    assert value("dog", "cat") == 0.0


def test_it_is_the_harmonic_mean_of_precision_and_recall() -> None:
    for found, wanted in product(("x", "x x", "x y", "y z", "x y z x"), repeat=2):
        left, shared = wanted.split(), 0
        for word in found.split():
            if word in left:
                left.remove(word)
                shared += 1
        precision, recall = shared / len(found.split()), shared / len(wanted.split())
        mean = 2 * precision * recall / (precision + recall) if shared else 0.0
        assert value(found, wanted) == pytest.approx(mean)
        assert value(found, wanted) == value(wanted, found)


def test_what_vanishes_when_normalised_is_compared_as_it_stands() -> None:
    assert (value("+", "+"), value("-", "+"), value("a", "A")) == (1.0, 0.0, 1.0)
