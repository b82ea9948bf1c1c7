"""Batches of items of like length, and each different item once."""

from __future__ import annotations

import math

import numpy as np

from hybridroute.training.quality.by_length import distinct, length_batches
from hybridroute.training.quality.protocol import Item


def test_batches_hold_to_the_budget_and_miss_nothing() -> None:
    lengths = [5, 100, 7, 50, 3, 900, 6]
    batches = length_batches(lengths, budget=110, most=3)
    assert sorted(index for batch in batches for index in batch) == list(range(7))
    assert batches[0] == [5]  # longer than the budget: alone
    assert all(
        len(batch) == 1 or (len(batch) <= 3 and len(batch) * lengths[batch[0]] <= 110)
        for batch in batches
    )
    assert math.prod(len(batch) for batch in batches) > 1


def test_equal_items_are_asked_once() -> None:
    one, two = Item(query="q", response="a"), Item(query="q", response="b")
    kept, inverse = distinct([one, two, one, one])
    assert kept == [one, two]
    np.testing.assert_array_equal(inverse, [0, 1, 0, 0])


def test_the_longest_come_first_and_nothing_makes_no_batch() -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 100).tolist()
    batches = length_batches(lengths, budget=120, most=8)
    order = [lengths[index] for batch in batches for index in batch]
    assert order == sorted(lengths, reverse=True)
    assert length_batches([], budget=1, most=1) == []
    assert distinct([])[0] == []


def test_batches_are_filled_as_far_as_both_limits_let_them() -> None:
    assert [len(one) for one in length_batches([1] * 7, budget=100, most=3)] == [3, 3, 1]
    assert [len(one) for one in length_batches([10] * 7, budget=20, most=99)] == [2, 2, 2, 1]


def test_items_of_other_given_scores_alone_are_alike() -> None:
    one = Item(query="q", response="a", given={"x": 1.0})
    kept, inverse = distinct([one, Item(query="q", response="a", given={"x": 2.0})])
    assert (len(kept), inverse.tolist()) == (1, [0, 0])
