"""Quality functions that compare text: exact, numeric, F1, containment, given, own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.quality import (
    Item,
    QualityOptions,
    UnscorableItemError,
    build_qualities,
    build_quality,
)
from hybridroute.training.quality.by_length import distinct, length_batches
from hybridroute.training.quality.numeric_match import last_number
from hybridroute.training.quality.scoring import score_items


def value(name: str, response: str, reference: str | None) -> float:
    item = Item(query="?", response=response, reference=reference)
    return float(build_quality(name).score([item])[0])


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
    assert value("exact-match", response, reference) == wanted


@pytest.mark.parametrize(
    ("response", "reference", "wanted"),
    [
        ("We party hard", "art", 0.0),
        ("Modern art, mostly", "the Art", 1.0),
        ("x", "x y", 0.0),
    ],
)
def test_contains_reference_compares_whole_words(
    response: str, reference: str, wanted: float
) -> None:
    assert value("contains-reference", response, reference) == wanted


def test_token_f1_counts_repeats() -> None:
    # shared: cat once, sat once; 2 * 2 / (2 + 4)
    assert value("token-f1", "cat cat sat down", "The cat sat") == pytest.approx(2 / 3)
    assert value("token-f1", "dog", "cat") == 0.0


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
    assert value("numeric-match", "So it is 42.0", "#### 42") == 1.0
    assert value("numeric-match", "1000001", "1000000") == 0.0
    assert value("numeric-match", "I do not know", "42") == 0.0
    loose = build_quality("numeric-match", QualityOptions(numeric_tolerance=0.01))
    assert loose.score([Item(query="", response="101", reference="100")])[0] == 1.0
    with pytest.raises(ConfigError, match="tolerance is -1"):
        build_quality("numeric-match", QualityOptions(numeric_tolerance=-1))


def test_a_reference_without_a_number_names_the_item() -> None:
    items = [Item(query="", response="1", reference=text) for text in ("1", "one")]
    with pytest.raises(UnscorableItemError, match="no number") as caught:
        build_quality("numeric-match").score(items)
    assert caught.value.index == 1


def test_a_given_score_is_taken_and_a_missing_one_named() -> None:
    held = build_quality("given:bartscore")
    there = Item(query="", response="x", given={"bartscore": -2.5, "bleu": None})
    assert held.score([there])[0] == -2.5
    with pytest.raises(DataError, match=r"f line 3: .*scores\.bleurt is missing.*\['bartscore'\]"):
        score_items(build_quality("given:bleurt"), [there], ["f line 3"])


OWN = """
import numpy as np
def wordy(query, response, reference):
    return len(response.split())
def broken(query, response, reference):
    raise RuntimeError("no")
def empty(query, response, reference):
    return float("nan")
class Judge:
    name = "judge"
    needs_reference = True
    range = (0.0, 1.0)
    blank = 0.25
    def score(self, batch):
        return np.full(len(batch), 0.5)
class Short(Judge):
    def score(self, batch):
        return np.zeros(len(batch) + 1)
class High(Judge):
    def score(self, batch):
        return np.full(len(batch), 7.0)
judge, short, high = Judge(), Short(), High()
number = 3
"""


@pytest.fixture
def own(tmp_path) -> str:
    (tmp_path / "own_judges.py").write_text(OWN)
    return str(tmp_path / "own_judges.py")


def test_own_functions_by_file_and_by_module(own, tmp_path, monkeypatch) -> None:
    items = [Item(query="q", response="two words", reference="r"), Item(query="q", response=" ")]
    assert build_quality(f"{own}:wordy").score(items).tolist() == [2.0, 0.0]
    monkeypatch.syspath_prepend(str(tmp_path))
    held = build_quality("own_judges:judge")
    assert (held.name, held.needs_reference, held.blank) == ("judge", True, 0.25)
    blank = Item(query="q", response=" ", reference="r")
    assert score_items(held, [items[0], blank], ["a", "b"]).tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("attribute", "says"),
    [
        ("broken", r"place 0 and 0 more: broken failed \(RuntimeError: no\)"),
        ("empty", "place 0: empty is nan"),
        ("short", r"returned shape \(2,\) for 1 responses"),
        ("high", "place 0: judge is 7.0; a quality must be a number from 0 to 1"),
    ],
)
def test_what_an_own_function_may_not_return(own, attribute: str, says: str) -> None:
    item = Item(query="q", response="x", reference="r")
    with pytest.raises(DataError, match=says):
        score_items(build_quality(f"{own}:{attribute}"), [item], ["place 0"])


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bleu", "no quality is called 'bleu'; choose from exact-match"),
        ("no_such_module_here:f", "module cannot be imported"),
        ("missing.py:f", "module cannot be imported"),
        ("math:nothing", "'nothing' is not there"),
        ("math:pi", "neither a function"),
        (":f", "no quality is called"),
    ],
)
def test_a_name_that_is_none_says_what_to_do(name: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_quality(name)


def test_one_name_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="each once"):
        build_qualities(["token-f1", "token-f1"])
    with pytest.raises(ConfigError, match="at least one"):
        build_qualities([])


def test_a_missing_reference_names_the_place_and_a_blank_response_is_zero() -> None:
    held = build_quality("token-f1")
    blank = Item(query="", response="\n ", reference="x")
    assert score_items(held, [blank], ["p"]).tolist() == [0.0]
    for reference in (None, "  "):
        item = Item(query="", response="x", reference=reference)
        with pytest.raises(DataError, match="r.jsonl line 2: reference is missing and token-f1"):
            score_items(held, [item], ["r.jsonl line 2"])


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
