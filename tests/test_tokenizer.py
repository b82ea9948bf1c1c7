"""The router's tokenizer: left truncation, unknown tokens, odd input."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_bundle import tiny_tokenizer
from tokenizers import Tokenizer

from hybridroute.edge_runtime.errors import BundleError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer

WORDS = ("first", "second", "last")


@pytest.fixture(scope="module")
def held() -> RouterTokenizer:
    return RouterTokenizer(tiny_tokenizer(WORDS), max_tokens=8)


def test_the_end_of_a_long_text_stays(held: RouterTokenizer) -> None:
    plain = tiny_tokenizer(WORDS)
    found = held.encode("first " * 20 + "second last")
    assert len(found.ids) == 8
    start, *body, end = (plain.id_to_token(token) for token in found.ids)
    assert (start, end) == ("[CLS]", "[SEP]")
    assert body == ["first"] * 4 + ["second", "last"]


def test_a_very_long_text_is_read_as_its_end(held: RouterTokenizer) -> None:
    end = "last second first last second first"
    assert held.encode("x " * 500_000 + end).ids == held.encode("first " * 50 + end).ids


@pytest.mark.parametrize(
    ("text", "share"),
    [("", 0.0), ("   ", 0.0), ("first", 0.0), ("是", 1.0), ("first 是", 0.5), ("[UNK]", 1.0)],
)
def test_unknown_share(held: RouterTokenizer, text: str, share: float) -> None:
    assert held.encode(text).unknown_share == share


@given(st.text(st.characters(codec=None), max_size=60))
def test_any_text_is_read(text: str) -> None:
    found = RouterTokenizer(tiny_tokenizer(WORDS), max_tokens=8).encode(text)
    assert 2 <= len(found.ids) <= 8
    assert 0.0 <= found.unknown_share <= 1.0


def test_nul_and_lone_surrogates(held: RouterTokenizer) -> None:
    assert held.encode("fi\x00rst").ids == held.encode("first").ids
    assert held.encode("\ud800 first") == held.encode("\ufffd first")


def test_its_json_makes_the_same_tokenizer(held: RouterTokenizer) -> None:
    text = held.to_json()
    assert Tokenizer.from_str(text).truncation is None
    again = RouterTokenizer.from_bytes(text.encode(), max_tokens=8)
    assert again.encode("first 是 last " * 9) == held.encode("first 是 last " * 9)


def test_a_file_that_is_missing_or_no_tokenizer(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    with pytest.raises(BundleError, match="cannot be read"):
        RouterTokenizer.from_file(path, max_tokens=8)
    path.write_text('{"version": "1.0"}')
    with pytest.raises(BundleError, match="is not a tokenizer"):
        RouterTokenizer.from_file(path, max_tokens=8)
