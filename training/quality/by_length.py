"""Batches of items of like length, so that little of a batch is padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hybridroute.training.quality.protocol import Item


def length_batches(lengths: Sequence[int], *, budget: int, most: int) -> list[list[int]]:
    """Indices in batches, longest first, so that a lack of memory shows at once.

    Parameters
    ----------
    lengths : sequence of int
        Of each item, in any unit.
    budget : int
        Upper bound of a batch's items times its longest; an item above it stands alone.
    most : int
        Upper bound of a batch's items.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches: list[list[int]] = []
    for index in order:
        held = batches[-1] if batches else None
        if held and len(held) < most and (len(held) + 1) * lengths[held[0]] <= budget:
            held.append(index)
        else:
            batches.append([index])
    return batches


def distinct(batch: Sequence[Item]) -> tuple[list[Item], NDArray[np.intp]]:
    """The different items, and for each item of ``batch`` the index of its like among them."""
    places: dict[Item, int] = {}
    inverse = [places.setdefault(item, len(places)) for item in batch]
    return list(places), np.array(inverse, dtype=np.intp)
