"""Clean text: every string becomes one that UTF-8 can hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.clean_text import clean_text

MARK = chr(0xFFFD)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain", "plain"),
        ("a\x00b", "ab"),
        ("\ud83d\ude00", "😀"),
        ("a\ud800b", f"a{MARK}b"),
        ("end\ud83d", f"end{MARK}"),
        ("\udc00\ud800", MARK * 2),
        ("\ufeffkept\ud800", f"\ufeffkept{MARK}"),
    ],
)
def test_what_becomes_of_odd_characters(text: str, clean: str) -> None:
    assert clean_text(text) == clean


@given(st.text(st.characters(codec=None)))
def test_the_result_is_clean_and_stays_so(text: str) -> None:
    found = clean_text(text)
    found.encode("utf-8")
    assert "\x00" not in found
    assert clean_text(found) == found
