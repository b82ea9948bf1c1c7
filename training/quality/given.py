"""Scores that stand in the file already: MixInstruct's ``scores``, an outcome table's qualities."""

from __future__ import annotations

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.quality.protocol import Item, PerItem

GIVEN = "given"


def given_score(name: str = GIVEN) -> PerItem:
    """The score called ``name`` in the file; ``"given"`` is an outcome table's own ``quality``."""

    def judge(item: Item) -> float:
        value = item.given.get(name)
        if value is None:
            known = sorted(key for key, held in item.given.items() if held is not None)
            raise DataError(
                f"scores.{name} is missing (there are {known}); leave the line out, or choose "
                "a quality that all lines have"
            )
        return value

    return PerItem(
        name=name,
        source="the file's own scores",
        needs_reference=False,
        range=None,
        blank=None,
        judge=judge,
    )
