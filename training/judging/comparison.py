"""All that a comparison found, as numbers and text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hybridroute.edge_runtime.chat import plain
from hybridroute.training.judging.comparison_row import ComparisonRow, Difference, Pair
from hybridroute.training.judging.model_scaling import ScalingUp
from hybridroute.training.judging.published import Published


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmFacts:
    """One arm on the judged rows; ``train_quality`` is what the best single arm is chosen by."""

    name: str
    quality: float | None
    cost: float | None
    missing: int
    train_quality: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """How it was judged.

    Parameters
    ----------
    held_out : str
        ``given``, ``prompts`` or ``domains``.
    runs : int
        One a seed.
    train_rows, judged_rows : int
        Of the first run, and of all together.
    average : str
        Whether rows weigh the same, or domains.
    objective : str
        What settings and the winner are chosen by: ``aiq`` or ``quality``.
    tries : int
        The most settings tried for an estimator.
    resamples, resampled
        Of the intervals.
    no_cost : str or None
        Why nothing is said of cost.
    cost_range : (float, float) or None
        US dollars a query: mean cost of the cheapest and of the dearest arm; AIQ's range.
    cpt_undefined : str or None
    """

    source: str
    held_out: str
    runs: int
    train_rows: int
    judged_rows: int
    duplicates: int
    conflicts: int
    rows_in_both: int
    average: str
    objective: str
    tries: int
    resamples: int
    resampled: str
    no_cost: str | None
    cost_range: Pair | None
    cpt_undefined: str | None
    scaling_rows: int
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Rows by quality, the best first; ``winner`` was chosen on select rows."""

    winner: str
    protocol: Protocol
    arms: tuple[ArmFacts, ...]
    estimators: tuple[ComparisonRow, ...]
    baselines: tuple[ComparisonRow, ...]
    differences: tuple[Difference, ...]
    scaling_up: ScalingUp | None
    published: tuple[Published, ...]

    def row(self, name: str) -> ComparisonRow:
        """The row of this name."""
        return next(one for one in (*self.estimators, *self.baselines) if one.name == name)

    def to_dict(self) -> dict[str, Any]:
        """A JSON object; every number finite or null."""
        held: dict[str, Any] = plain(self)
        held["estimators"] = [entry.to_dict() for entry in self.estimators]
        held["baselines"] = [entry.to_dict() for entry in self.baselines]
        held["published"] = [one.to_dict() for one in self.published]
        return held
