"""Token F1 in SQuAD's style."""

from __future__ import annotations

from collections import Counter

from hybridroute.training.quality.normalise import comparable_words
from hybridroute.training.quality.protocol import Item, PerItem, reference_of


def token_f1() -> PerItem:
    """Harmonic mean of precision and recall over normalised words, counted with repeats."""
    return PerItem(
        name="token-f1",
        source="SQuAD (arXiv 1606.05250), F1",
        needs_reference=True,
        range=(0.0, 1.0),
        blank=0.0,
        judge=_judge,
    )


def _judge(item: Item) -> float:
    wanted, found = comparable_words(reference_of(item), item.response)
    shared = sum((Counter(wanted) & Counter(found)).values())
    return 2.0 * shared / (len(wanted) + len(found))
