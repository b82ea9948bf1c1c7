"""What the heads are fitted to: each arm's quality laid on [0, 1], and the label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training.fit_config import LabelKind
from hybridroute.training.labels import Labels, labels_of
from hybridroute.training.outcomes import OutcomeTable


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityScale:
    """Lays q on [0, 1] linearly, so that a logistic head can estimate it.

    One range for both arms: their difference keeps its sign and its proportions.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise TrainingError(
                f"every quality is {self.low}: there is nothing to learn from these rows"
            )

    @classmethod
    def of(cls, table: OutcomeTable, edge: str, cloud: str) -> QualityScale:
        """The range of the mean qualities in ``table``; 0 to 1 where they lie within it."""
        return cls.around(np.concatenate([table.mean_quality(edge), table.mean_quality(cloud)]))

    @classmethod
    def around(cls, held: NDArray[np.float64]) -> QualityScale:
        """The range of these qualities; 0 to 1 where they lie within it."""
        low, high = float(held.min()), float(held.max())
        if low < high and low >= 0.0 and high <= 1.0:
            low, high = 0.0, 1.0
        return cls(low=low, high=high)

    def scaled(self, quality: NDArray[np.float64]) -> NDArray[np.float64]:
        """q on [0, 1], clipped."""
        return np.clip((quality - self.low) / (self.high - self.low), 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Targets:
    """Targets of n rows: ``values`` has shape (n, 3), columns edge, cloud, label."""

    values: NDArray[np.float32]
    labels: Labels


def targets_of(
    table: OutcomeTable, edge: str, cloud: str, *, kind: LabelKind, scale: QualityScale, seed: int
) -> Targets:
    """Targets of a table's rows."""
    labels = labels_of(table, edge, cloud, kind, seed=seed)
    columns = (
        scale.scaled(table.mean_quality(edge)),
        scale.scaled(table.mean_quality(cloud)),
        labels.values,
    )
    return Targets(values=np.stack(columns, axis=1).astype(np.float32), labels=labels)
