"""How large a number of the outcomes may be: one bound, which every reader keeps.

A number can be finite and still not be computed with: the square of 1e200 overflows, and beside
1e308 every other quality of a mean is lost. Up to 1e9 the squares of a billion rows can be summed
in float32, and two means that differ by 1e-6 are told apart in float64.
"""

from __future__ import annotations

import math
from typing import Final

LARGEST: Final = 1e9
"""Of qualities, US dollars and milliseconds, whatever their sign."""

_SHOWN = 24


def fault_of(value: float, *, low: float = -math.inf) -> str:
    """What is wrong with a number, as ``is ...; give ...``; nothing where it will do.

    >>> fault_of(0.5)
    ''
    >>> fault_of(1e300)
    'is 1e+300; give one of at most 1e+09 in size, in a larger unit: more cannot be computed with'
    """
    shown = str(value)[:_SHOWN]
    if not -math.inf < value < math.inf:
        return f"is {shown}; give a finite number"
    if value < low:
        return f"is {shown}; it must be at least {low:g}"
    if abs(value) > LARGEST:
        return (
            f"is {shown}; give one of at most {LARGEST:g} in size, in a larger unit: more cannot "
            "be computed with"
        )
    return ""
