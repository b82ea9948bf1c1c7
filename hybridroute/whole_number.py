"""Whole numbers that others wrote: headers, codes, places in a list."""

from __future__ import annotations

_LONGEST = 18
"""Digits: what follows stays within 64 bits, and Python refuses to read thousands of them."""


def whole_number(text: str) -> int | None:
    """The number that the text is, in ASCII digits alone; None if it is none.

    ``str.isdigit`` is true of "²", of which ``int`` makes an error.
    """
    is_number = text.isascii() and text.isdecimal() and len(text) <= _LONGEST
    return int(text) if is_number else None
