"""A server's words made fit for an error message."""

from __future__ import annotations

import pytest

from hybridroute.cloud.redact import LONGEST_MESSAGE, Redactor


def test_secrets_and_prompts_are_taken_out_wherever_they_stand() -> None:
    clean = Redactor(["sk-1234", "team-blue"], ["what is my salary"])
    said = "sk-1234: 'what is my salary' by team-blue(sk-1234)"
    assert clean(said) == "[redacted]: '[prompt]' by [redacted]([redacted])"


@pytest.mark.parametrize(
    ("secrets", "prompts", "said"),
    [(["abc"], [], "abc"), ([""], [""], "nothing"), ([], ["7 chars"], "7 chars")],
)
def test_what_is_too_short_to_be_one_is_left(
    secrets: list[str], prompts: list[str], said: str
) -> None:
    assert Redactor(secrets, prompts)(said) == said


def test_of_two_that_overlap_the_longer_goes_first() -> None:
    """Else a part of the longer one would be left to read."""
    for order in (["sk-12", "sk-12-34-56"], ["sk-12-34-56", "sk-12"]):
        assert Redactor(order)("key sk-12-34-56.") == "key [redacted]."


def test_the_message_is_one_printable_line() -> None:
    clean = Redactor([])
    assert clean("a\n\tb\x1b[31m\x00c\u2028 \u200bd  ") == "a b [31m c d"
    assert clean("") == ""


def test_a_long_message_is_cut_after_it_was_cleaned() -> None:
    clean = Redactor(["planted-key"])
    kept = "x" * LONGEST_MESSAGE
    assert clean(kept) == kept
    cut = clean(kept + "y")
    assert (len(cut), cut[-4:]) == (LONGEST_MESSAGE, "x...")
    at_the_edge = clean("x" * (LONGEST_MESSAGE - 8) + "planted-key")
    assert "plan" not in at_the_edge


def test_a_prompt_of_several_lines_is_found_before_the_lines_are_joined() -> None:
    assert Redactor([], ["first line\nsecond"])("got: first line\nsecond!") == "got: [prompt]!"
