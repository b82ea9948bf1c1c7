"""Messages as an engine takes them."""

from __future__ import annotations

from hybridroute.edge_runtime.prompt_text import clean_messages, context_overflow


def test_roles_parts_and_odd_text_become_plain() -> None:
    parts = [{"type": "text", "text": "a\0b"}, {"type": "text", "text": "\ud83d\ude00\ud800"}]
    cleaned = clean_messages(
        (
            {"role": "developer", "content": "be brief"},
            {"role": "user", "content": parts, "name": "x"},
            {"role": "assistant", "content": None},
            {"role": "function", "content": "42"},
        )
    )
    assert cleaned == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "ab\n\U0001f600\ufffd"},
        {"role": "assistant", "content": ""},
        {"role": "tool", "content": "42"},
    ]


def test_the_overflow_names_both_sizes() -> None:
    message = str(context_overflow(prompt_tokens=631, context_tokens=512))
    assert "631" in message
    assert "512" in message
