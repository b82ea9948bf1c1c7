"""SQuAD's answer normalisation (arXiv 1606.05250, its evaluation script)."""

from __future__ import annotations

import re
import string

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised_words(text: str) -> list[str]:
    """Lower case, ASCII punctuation and the articles a, an, the removed, split at white space.

    Text without spaces (Chinese, Japanese) stays one word.

    Examples
    --------
    >>> normalised_words("The Eiffel-Tower, in Paris!")
    ['eiffeltower', 'in', 'paris']
    """
    bare = text.lower().translate(_NO_PUNCTUATION)
    return _ARTICLES.sub(" ", bare).split()


def comparable_words(text: str, other: str) -> tuple[list[str], list[str]]:
    """Both texts' normalised words; as they stand where the first would vanish ("+", "A")."""
    words = normalised_words(text)
    if words:
        return words, normalised_words(other)
    return text.lower().split(), other.lower().split()
