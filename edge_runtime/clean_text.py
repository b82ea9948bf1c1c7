"""Text that every tokenizer and engine accepts: the one place where odd input is made safe."""

from __future__ import annotations


def clean_text(text: str) -> str:
    """Drop NUL characters, join surrogate pairs and replace lone surrogates by U+FFFD.

    Lone surrogates cannot be written as UTF-8, which is what tokenizers and llama.cpp take, and
    NUL ends a C string early.
    """
    if "\x00" in text:
        text = text.replace("\x00", "")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
