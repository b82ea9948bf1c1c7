"""Whether the response contains the reference."""

from __future__ import annotations

from hybridroute.training.quality.normalise import comparable_words
from hybridroute.training.quality.protocol import Item, PerItem, reference_of


def contains_reference() -> PerItem:
    """1 where the reference's normalised words stand in the response one after another, else 0.

    Words are compared whole: "art" is not in "party".
    """
    return PerItem(
        name="contains-reference",
        source="PopQA's accuracy (arXiv 2212.10511), on whole words",
        needs_reference=True,
        range=(0.0, 1.0),
        blank=0.0,
        judge=_judge,
    )


def _judge(item: Item) -> float:
    wanted, found = comparable_words(reference_of(item), item.response)
    size = len(wanted)
    starts = range(len(found) - size + 1)
    return float(any(found[start : start + size] == wanted for start in starts))
