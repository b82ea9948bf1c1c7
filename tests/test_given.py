"""Scores that stand in the file already."""

from __future__ import annotations

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.quality.given import given_score
from hybridroute.training.quality.protocol import Item, UnscorableItemError
from hybridroute.training.quality.scoring import score_items


def test_a_given_score_is_taken_and_a_missing_one_named() -> None:
    held = given_score("bartscore")
    there = Item(query="", response="x", given={"bartscore": -2.5, "bleu": None})
    assert held.score([there])[0] == -2.5
    with pytest.raises(DataError, match=r"f line 3: .*scores\.bleurt is missing.*\['bartscore'\]"):
        score_items(given_score("bleurt"), [there], ["f line 3"])


def test_it_has_no_range_needs_no_reference_and_is_asked_of_blank_responses_too() -> None:
    held = given_score()
    assert (held.name, held.range, held.blank, held.needs_reference) == ("given", None, None, False)
    blank = Item(query="", response=" ", given={"given": 0.0})
    assert score_items(held, [blank], ["p"]).tolist() == [0.0]


def test_the_item_that_lacks_it_is_told_by_its_place() -> None:
    there = Item(query="", response="x", given={"given": 1.0})
    lacking = Item(query="", response="x", given={"given": None, "b": 1.0, "a": 2.0})
    with pytest.raises(UnscorableItemError, match=r"there are \['a', 'b'\]") as caught:
        given_score().score([there, lacking])
    assert caught.value.index == 1
