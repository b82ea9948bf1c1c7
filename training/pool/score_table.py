"""Outcomes of many arms as matrices: what estimators are fitted on and judged by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import OutcomeTable

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoreTable:
    """n queries and m arms.

    Parameters
    ----------
    arms : tuple of str
        The m columns.
    quality : ndarray of float64, shape (n, m)
        Mean q of the cell's responses; NaN where the cell is missing.
    cost_usd : ndarray of float64, shape (n, m), or None
        Mean US dollars; NaN where none is stated. None where no cell states one.
    texts : tuple of str
        The routed text of each row.
    hashes : tuple of str
        Of the routed texts, or of whatever else tells rows apart.
    domains : tuple of (str or None)
    source : str

    Raises
    ------
    DataError
        If shapes differ, a row or an arm has no outcome at all, or a value is infinite.
    """

    arms: tuple[str, ...]
    quality: Floats
    cost_usd: Floats | None
    texts: tuple[str, ...]
    hashes: tuple[str, ...]
    domains: tuple[str | None, ...]
    source: str

    def __post_init__(self) -> None:
        shape = (len(self.hashes), len(self.arms))
        held = {"quality": self.quality, "cost_usd": self.cost_usd}
        for name, values in held.items():
            if values is not None and (values.shape != shape or np.isinf(values).any()):
                raise DataError(f"{name} has shape {values.shape}, or is infinite; give {shape}")
        if len(self.texts) != shape[0] or len(self.domains) != shape[0]:
            raise DataError(
                f"{len(self.texts)} texts, {len(self.domains)} domains: give {shape[0]}"
            )
        if not shape[0] or not shape[1]:
            raise DataError(f"{self.source} has {shape[0]} rows and {shape[1]} arms; give some")
        present = ~np.isnan(self.quality)
        absent = np.flatnonzero(~present.any(axis=0))
        if len(absent):
            arm = self.arms[absent[0]]
            raise DataError(f"arm {arm!r} has no outcome in {self.source}; leave it out")
        empty = np.flatnonzero(~present.any(axis=1))
        if len(empty):
            raise DataError(f"row {empty[0]} of {self.source} has no outcome; leave it out")

    def __len__(self) -> int:
        return len(self.hashes)

    @classmethod
    def of(cls, table: OutcomeTable, arms: tuple[str, ...] | None = None) -> Self:
        """The matrices of an outcome table; ``arms`` picks and orders the columns.

        Raises
        ------
        DataError
            If an arm of ``arms`` stands in no row. Rows that have none of the arms are left out.
        """
        wanted = table.arm_names if arms is None else arms
        absent = [arm for arm in wanted if arm not in table.arm_names]
        if absent:
            raise DataError(
                f"{table.source} has no arm {absent[0]!r}; its arms are {sorted(table.arm_names)}"
            )
        rows = [row for row in table.rows if any(arm in row.arms for arm in wanted)]
        quality = np.full((len(rows), len(wanted)), np.nan)
        cost = np.full((len(rows), len(wanted)), np.nan)
        for at, row in enumerate(rows):
            for column, arm in enumerate(wanted):
                if (held := row.arms.get(arm)) is not None:
                    quality[at, column] = held.mean_quality
                    if held.cost_usd is not None:
                        cost[at, column] = sum(held.cost_usd) / len(held.cost_usd)
        kept = OutcomeTable(rows=tuple(rows), source=table.source)
        return cls(
            arms=tuple(wanted),
            quality=quality,
            cost_usd=None if np.isnan(cost).all() else cost,
            texts=tuple(kept.texts()),
            hashes=tuple(kept.prompt_hashes()),
            domains=tuple(kept.domains()),
            source=table.source,
        )

    def select(self, which: NDArray[Any]) -> Self:
        """The rows at ``which``: a boolean mask of shape (n,), or indices in the wanted order."""
        at = np.flatnonzero(which) if which.dtype == np.bool_ else which
        return type(self)(
            arms=self.arms,
            quality=self.quality[at],
            cost_usd=None if self.cost_usd is None else self.cost_usd[at],
            texts=tuple(self.texts[row] for row in at),
            hashes=tuple(self.hashes[row] for row in at),
            domains=tuple(self.domains[row] for row in at),
            source=self.source,
        )

    def with_arms(self, order: NDArray[np.intp]) -> Self:
        """The same rows with the columns at ``order``, indices of arms."""
        return replace(
            self,
            arms=tuple(self.arms[at] for at in order),
            quality=self.quality[:, order],
            cost_usd=None if self.cost_usd is None else self.cost_usd[:, order],
        )
