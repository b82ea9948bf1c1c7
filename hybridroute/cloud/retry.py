"""Which failures may be tried again, and how long to wait first."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

RETRY_STATUSES = frozenset({408, 409, 429, 500, 502, 503, 504})
"""Tried again: nothing of an answer had come. OpenAI's own clients retry these too."""

FIRST_WAIT_S = 0.5
"""Upper end of the first random wait; it doubles with every try."""


class Backoff:
    """Full jitter: a wait drawn evenly from [0, min(cap, 0.5 * 2**attempt)] seconds.

    Parameters
    ----------
    max_retries : int
        Further tries after the first.
    cap_s : float
        The longest wait; also the longest ``Retry-After`` that is obeyed.
    seed : int or None
        Makes the waits repeatable; None draws them from the system.

    References
    ----------
    M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(self, *, max_retries: int, cap_s: float, seed: int | None = None) -> None:
        self._max_retries = max_retries
        self._cap_s = cap_s
        self._random = random.Random(seed)  # noqa: S311 - spreads retries, guards nothing

    def wait_s(self, attempt: int, asked_s: float | None = None) -> float | None:
        """Seconds to wait after failed try ``attempt`` (from 0), or None to give up.

        ``asked_s`` is the server's own wish; it is never cut short.
        """
        if attempt >= self._max_retries:
            return None
        jitter = self._random.uniform(0.0, min(self._cap_s, FIRST_WAIT_S * 2.0**attempt))
        if asked_s is None:
            return jitter
        if asked_s > self._cap_s:
            return None
        return max(asked_s, jitter)


def retry_after_s(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds a server asks to wait, from ``Retry-After-Ms`` or ``Retry-After``, else None.

    ``Retry-After`` holds seconds or an HTTP date (RFC 9110, section 10.2.3). Nonsense is None.

    Parameters
    ----------
    headers : mapping
        The answer's headers, case-insensitive.
    now : float or None
        Seconds since the epoch, for dates; None is the clock.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000.0
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    try:
        at = parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, at - (time.time() if now is None else now))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
