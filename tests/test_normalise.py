"""SQuAD's normalisation, and what is compared where it would leave nothing."""

from __future__ import annotations

import pytest

from hybridroute.training.quality.normalise import comparable_words, normalised_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Eiffel-Tower, in Paris!", ["eiffeltower", "in", "paris"]),
        ("A theatre and an anthem", ["theatre", "and", "anthem"]),
        ("the  THE\tthe", []),
        ("don't", ["dont"]),
        ("\N{LEFT DOUBLE QUOTATION MARK}Hi", ["\N{LEFT DOUBLE QUOTATION MARK}hi"]),
        ("\u4f60\u597d \u4e16\u754c", ["\u4f60\u597d", "\u4e16\u754c"]),
        ("", []),
    ],
)
def test_case_punctuation_and_articles_go(text: str, words: list[str]) -> None:
    assert normalised_words(text) == words


def test_both_stand_as_they_are_where_the_first_would_vanish() -> None:
    assert comparable_words("The A", "a") == (["the", "a"], ["a"])
    assert comparable_words("+", "The +") == (["+"], ["the", "+"])
    assert comparable_words("x", "The +") == (["x"], [])
