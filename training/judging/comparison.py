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
    n_out_of_scope : int or None
        Judged rows that a router cannot read; None where that is not known.
    unknown_token_limit : float or None
        The share of unknown tokens above which a row is out of scope.
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
    n_out_of_scope: int | None = None
    unknown_token_limit: float | None = None

    @property
    def scope_in_words(self) -> str | None:
        """What rows out of scope do to the figures; None where there are none."""
        if not self.n_out_of_scope or self.unknown_token_limit is None:
            return None
        head = (
            f"{self.n_out_of_scope:,} of the {self.judged_rows:,} judged rows are out of scope: "
            f"more than {self.unknown_token_limit:.0%} of their tokens are unknown to the router."
        )
        if not self.train_rows:
            return (
                f"{head} They count as the best single arm's, which answers them as the bundle is "
                "served; ECE and Brier leave them out."
            )
        return (
            f"{head} A bundle sends them to the best single arm unread; 'as served' is mean "
            "quality then. All other figures are of the estimators, which judge those rows, too."
        )


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

    @property
    def shows_served(self) -> bool:
        """Whether what is served is another thing than what is judged."""
        return bool(self.protocol.n_out_of_scope and self.protocol.train_rows)

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
