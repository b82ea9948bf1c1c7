"""Asking a quality function, and refusing what cannot be a quality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError, HybridRouteError
from hybridroute.training.magnitude import LARGEST
from hybridroute.training.quality.protocol import Item, QualityFunction, UnscorableItemError

_ROUND_OFF = 1e-4


def score_items(
    function: QualityFunction, items: Sequence[Item], places: Sequence[str]
) -> NDArray[np.float64]:
    """Quality of each item, shape (n,); blank responses get ``function.blank`` unasked.

    Parameters
    ----------
    places : sequence of str
        Where each item stands (file, line, id, arm, sample), for messages.

    Raises
    ------
    DataError
        If a reference is missing that ``function`` needs, it cannot judge an item, or what it
        returned is of another shape, not finite or out of its range. Names the place.
    """
    found = np.empty(len(items), dtype=np.float64)
    asked = []
    for index, item in enumerate(items):
        if function.needs_reference and not (item.reference or "").strip():
            raise DataError(
                f"{places[index]}: reference is missing and {function.name} needs one; add it, or "
                "choose a quality that needs none"
            )
        if item.is_blank and function.blank is not None:
            found[index] = function.blank
        else:
            asked.append(index)
    if asked:
        batch = [items[index] for index in asked]
        found[asked] = _asked(function, batch, [places[index] for index in asked])
    return found


def _asked(
    function: QualityFunction, batch: Sequence[Item], places: Sequence[str]
) -> NDArray[np.float64]:
    try:
        values = np.asarray(function.score(batch), dtype=np.float64)
    except UnscorableItemError as exc:
        raise DataError(f"{places[exc.index]}: {function.name}: {exc}") from exc
    except HybridRouteError:
        raise
    except Exception as exc:  # a user's own function may raise anything
        raise DataError(
            f"{places[0]} and {len(batch) - 1} more: {function.name} failed "
            f"({type(exc).__name__}: {exc}); mend the function"
        ) from exc
    if values.shape != (len(batch),):
        raise DataError(
            f"{function.name} returned shape {values.shape} for {len(batch)} responses; return one "
            "number each"
        )
    low, high = function.range or (-np.inf, np.inf)
    bad = ~((values >= low - _ROUND_OFF) & (values <= high + _ROUND_OFF))
    bad |= ~(np.abs(values) <= LARGEST)  # NaN is not
    if bad.any():
        index = int(np.flatnonzero(bad)[0])
        what = (
            f"a number of at most {LARGEST:g} in size"
            if function.range is None
            else f"a number from {low:g} to {high:g}"
        )
        raise DataError(
            f"{places[index]}: {function.name} is {values[index]}; a quality must be {what}"
        )
    return values
