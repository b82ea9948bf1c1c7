"""What a quality function is, and the simplest kind: one that judges a response on its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One response to be judged.

    Parameters
    ----------
    query : str
        The routed text of the prompt.
    response : str
    reference : str or None
        A good answer, where one is known.
    given : mapping of str to float or None
        The scores that the file states for this response.
    """

    query: str
    response: str
    reference: str | None = None
    given: Mapping[str, float | None] = field(default_factory=dict, compare=False)

    @property
    def is_blank(self) -> bool:
        """Whether the response is empty or white space."""
        return not self.response.strip()


class UnscorableItemError(DataError):
    """One item of a batch cannot be judged; ``index`` is its place in the batch."""

    def __init__(self, message: str, *, index: int) -> None:
        super().__init__(message)
        self.index = index


class QualityFunction(Protocol):
    """Responses -> quality; higher is better.

    Attributes
    ----------
    name : str
    source : str
        Where the function comes from: paper, package, or the user's own.
    needs_reference : bool
    range : (float, float) or None
        The least and the largest value, infinite where there is no bound; None: unknown.
    blank : float or None
        The quality of an empty or blank response, which is then not asked for; None: it is asked.
    """

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def needs_reference(self) -> bool: ...

    @property
    def range(self) -> tuple[float, float] | None: ...

    @property
    def blank(self) -> float | None: ...

    def score(self, batch: Sequence[Item]) -> NDArray[np.float64]:
        """Quality of each item, shape (n,).

        Raises
        ------
        UnscorableItemError
            If an item cannot be judged.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """What the user should know about all that was scored so far, truncation above all."""
        ...

    def close(self) -> None:
        """Let go of models; safe to call twice."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PerItem:
    """A quality function that judges items one by one with ``judge``.

    What ``judge`` raises as DataError becomes an UnscorableItemError with the item's place.
    """

    name: str
    source: str
    needs_reference: bool
    range: tuple[float, float] | None
    blank: float | None
    judge: Callable[[Item], float]

    def score(self, batch: Sequence[Item]) -> NDArray[np.float64]:
        """Quality of each item, shape (n,). Raises UnscorableItemError."""
        found = np.empty(len(batch), dtype=np.float64)
        for index, item in enumerate(batch):
            try:
                found[index] = self.judge(item)
            except DataError as exc:
                raise UnscorableItemError(str(exc), index=index) from exc
        return found

    def notes(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def close(self) -> None:
        """Nothing to let go of."""


def reference_of(item: Item) -> str:
    """The item's reference. Raises DataError if it is missing or blank."""
    if item.reference is None or not item.reference.strip():
        raise DataError("reference is missing; add one, or choose a quality that needs none")
    return item.reference
