"""Exact match after SQuAD's normalisation."""

from __future__ import annotations

from hybridroute.training.quality.normalise import comparable_words
from hybridroute.training.quality.protocol import Item, PerItem, reference_of


def exact_match() -> PerItem:
    """1 where response and reference are the same normalised words, else 0."""
    return PerItem(
        name="exact-match",
        source="SQuAD (arXiv 1606.05250), exact match",
        needs_reference=True,
        range=(0.0, 1.0),
        blank=0.0,
        judge=_judge,
    )


def _judge(item: Item) -> float:
    wanted, found = comparable_words(reference_of(item), item.response)
    return float(wanted == found)
