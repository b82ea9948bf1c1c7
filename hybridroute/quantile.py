"""The quantile of what was measured: one of the values, never a number between two."""

from __future__ import annotations

import math
from collections.abc import Collection

from hybridroute.edge_runtime.errors import ConfigError

_ROUNDING = 1e-9
"""Keeps a product such as 0.07 * 100, which is just above 7, from counting as 8."""


def quantile(values: Collection[float], share: float) -> float:
    """The smallest of the values that at least the share of them do not exceed.

    Parameters
    ----------
    values : collection of float, shape (n,)
        At least one, in any order and unit.
    share : float
        In [0, 1]: 0.5 is the median (of an even number, the lower of the two in the middle).

    Raises
    ------
    ConfigError
        If there is no value, or the share is out of range.

    Examples
    --------
    >>> quantile([1.0, 2.0], 0.5), quantile(range(1, 21), 0.95)
    (1.0, 19)
    """
    if not values or not 0.0 <= share <= 1.0:
        raise ConfigError(
            f"a quantile at {share!r} of {len(values)} values; give a share from 0 to 1 and at "
            "least one value"
        )
    needed = math.ceil(share * len(values) - _ROUNDING)
    return sorted(values)[max(needed, 1) - 1]
