"""Whether the last number of the response is the last number of the reference."""

from __future__ import annotations

import math
import re

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.quality.protocol import Item, PerItem, reference_of

# A sign counts only where no word, number or bracket ends before it: "3-4" is 3 and 4. Commas
# count as thousands separators only in groups of three.
_NUMBER = re.compile(
    r"(?:(?<![\w).])[-+])?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?"
    r"|(?:(?<![\w).])[-+])?(?<![\w.])\.\d+(?:[eE][-+]?\d+)?"
)


def numeric_match(tolerance: float) -> PerItem:
    """1 where the last numbers agree within ``tolerance``, else 0.

    Parameters
    ----------
    tolerance : float
        Relative, and absolute near 0; 0 asks for equality.

    Raises
    ------
    ConfigError
        If the tolerance is negative or not finite.
    """
    if not (math.isfinite(tolerance) and tolerance >= 0):
        raise ConfigError(f"numeric tolerance is {tolerance}; give a finite number, at least 0")

    def judge(item: Item) -> float:
        wanted = last_number(reference_of(item))
        if wanted is None:
            raise DataError("reference holds no number; use another quality for this prompt")
        found = last_number(item.response)
        same = found is not None and math.isclose(
            found, wanted, rel_tol=tolerance, abs_tol=tolerance
        )
        return float(same)

    return PerItem(
        name="numeric-match",
        source="GSM8K (arXiv 2110.14168), the final number",
        needs_reference=True,
        range=(0.0, 1.0),
        blank=0.0,
        judge=judge,
    )


def last_number(text: str) -> float | None:
    """The last number in ``text``; None without one.

    Examples
    --------
    >>> last_number("It costs $1,250.50.")
    1250.5
    """
    found = _NUMBER.findall(text.replace("\N{MINUS SIGN}", "-"))
    return float(found[-1].replace(",", "")) if found else None
