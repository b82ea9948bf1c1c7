"""Messages to the routed text, and its hash."""

from __future__ import annotations

import pytest

from hybridroute.routed_text import prompt_hash, prompt_text, routed_text


def user(content: object) -> dict[str, object]:
    return {"role": "user", "content": content}


def test_only_the_users_turns_count_oldest_first() -> None:
    messages = [
        {"role": "system", "content": "Be brief."},
        user(" First? "),
        {"role": "assistant", "content": "Yes."},
        {"role": "tool", "content": "42"},
        user([{"type": "text", "text": "Second?"}, {"type": "image_url"}]),
        user(None),
    ]
    assert routed_text(messages) == "First?\n\nSecond?"


@pytest.mark.parametrize("messages", [[], [{"role": "system", "content": "x"}], [user(" \x00 ")]])
def test_no_text(messages: list[dict[str, object]]) -> None:
    assert routed_text(messages) == ""


def test_a_prompt_of_text_is_one_user_turn() -> None:
    for text in (" What is\n2+2? ", "a\ud800\x00b", ""):
        assert prompt_text(text) == routed_text([user(text)]) == prompt_text([user(text)])


def test_the_hash_folds_white_space_and_nothing_else() -> None:
    assert prompt_hash("What is 2+2?") == prompt_hash("  What\n\nis\t2+2? ") == "52cb6b5e4a038af1"
    assert prompt_hash("What is 2+2?") != prompt_hash("what is 2+2?")
    assert len(prompt_hash("\ud800")) == 16
