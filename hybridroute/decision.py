"""The Decision: which arm answers, and why. Every response carries its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal
from uuid import uuid4

from hybridroute.edge_runtime.protocols import Place, ScoreKind
from hybridroute.promise import StandingPromise
from hybridroute.setting import SettingKind

Mode = Literal["auto", "only_on_device", "only_in_cloud", "prefer_on_device", "prefer_in_cloud"]
Reason = Literal[
    "score_at_or_above_threshold",
    "score_below_threshold",
    "highest_utility",
    "mode_only_on_device",
    "mode_only_in_cloud",
    "mode_prefer_on_device",
    "mode_prefer_in_cloud",
    "session_continues",
    "explored",
    "out_of_scope",
    "only_capable_arm",
    "fallback",
]

PROMISED_REASONS: frozenset[Reason] = frozenset(
    {"score_at_or_above_threshold", "score_below_threshold", "highest_utility", "out_of_scope"}
)
"""The bundle's whole rule decided as it was calibrated, texts that it cannot judge included.

A promise stands behind these alone.
"""
DRAWN_REASONS: frozenset[Reason] = frozenset(
    {"score_at_or_above_threshold", "score_below_threshold", "explored"}
)
"""The score of two arms decided, or the draw that may overrule it: the arm's chance is known.

Ratings of these can be weighed. Out-of-scope texts are missing, as no draw is made for them.
"""
REDECIDABLE_REASONS: frozenset[Reason] = DRAWN_REASONS | {"fallback"}
"""Another threshold may have asked another arm first, of two.

A fallback is among them because its reason hides the one before it: whether the score had chosen
the arm that failed has to be read off the score itself.
"""

Continues = Literal["tool_loop", "short_follow_up", "down_slowly"]

_ERROR_LENGTH = 300
_CONTINUES: dict[Continues, str] = {
    "tool_loop": "a tool's result goes back to the arm that called it",
    "short_follow_up": "a short follow-up stays with the arm that answered before",
    "down_slowly": "the conversation needed this arm, and goes down only after more easy requests",
}


def _new_id() -> str:
    return f"route-{uuid4().hex}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEstimate:
    """What the router says of one arm.

    Of two arms that is the edge's score, charged the threshold, and 0 for the cloud, charged
    nothing: the edge's utility is at least the cloud's where score >= threshold.

    Parameters
    ----------
    mean : float
        The estimate, in the units of the bundle's kind.
    uncertainty : float or None
        Its standard error, where the router knows one.
    charge : float
        What the setting takes off, of a pool for the expected cost, in the same units.
    """

    mean: float
    uncertainty: float | None
    charge: float

    @property
    def utility(self) -> float:
        """The arm with the largest of these answers, the cheapest of equals."""
        return self.mean - self.charge


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Which arm answers, and why.

    Parameters
    ----------
    arm, model : str
        The arm that answers, and the model name it is configured with.
    place : {"device", "cloud"} or None
        Where that arm runs.
    reason : str
        One word of a fixed vocabulary, see :data:`Reason`.
    mode : str
        See :data:`Mode`.
    score : float or None
        Of two arms, in [0, 1], high means the edge will do; None if nothing had to be scored.
    score_kind : {"label", "gap", "quality", "margin", "ordinal"}
        What a score, or an estimate, of this bundle is.
    threshold : float or None
        Of two arms: edge if score >= threshold.
    estimates : mapping of str to ArmEstimate
        What the router says of each arm, left-out ones too; empty if nothing had to be scored.
    setting_kind : {"dial", "threshold", "cost_advantage", "cost_weight", "budget_usd", "promise"}
        How much to spend was asked for in this way.
    dial, cost_advantage, cost_weight, budget_usd : float or None
        What was asked for, where it was said in that way.
    calibrated : bool
        Whether the configured arms are the ones the bundle was calibrated for.
    promise : StandingPromise or None
        The promise that stands behind this decision; None also where one was asked for and
        something else decided, such as the mode or an arm's failure.
    propensity : float or None
        The chance with which this arm was to answer: 1 unless the client explores; None where
        something else than the router's model decided.
    unknown_share : float or None
        Share of the text's tokens that the router does not know.
    left_out : mapping of str to str
        The arms that could not be used for this request, and why; one that failed is among them.
    fallback_from, fallback_error : str or None
        The arm that failed first, with the kind of its error and a short message.
    fallback_from_place : {"device", "cloud"} or None
        Where that arm runs.
    continues : {"tool_loop", "short_follow_up", "down_slowly"} or None
        Why the conversation stays on its arm, where it does; see :class:`Sessions`.
    cost_usd, saved_usd : float or None
        What the answer cost, and how much less than at the dearest arm (an estimate: for the same
        tokens). None before the answer's end, and where prices are not known.
    usage_estimated : bool
        Whether the tokens behind the cost are an estimate, as the arm did not count them.
    text_ms, score_ms, latency_ms : float
        Time to check the request and its arms, to score it, and in all, in milliseconds.
    id : str
        Unique to this decision.
    """

    arm: str
    model: str
    place: Place | None = None
    reason: Reason
    mode: Mode
    score: float | None
    score_kind: ScoreKind
    threshold: float | None
    estimates: Mapping[str, ArmEstimate] = field(default_factory=dict)
    setting_kind: SettingKind
    dial: float | None = None
    cost_advantage: float | None = None
    cost_weight: float | None = None
    budget_usd: float | None = None
    calibrated: bool
    promise: StandingPromise | None = None
    propensity: float | None = None
    unknown_share: float | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    fallback_from: str | None = None
    fallback_from_place: Place | None = None
    fallback_error: str | None = None
    continues: Continues | None = None
    cost_usd: float | None = None
    saved_usd: float | None = None
    usage_estimated: bool = False
    text_ms: float = 0.0
    score_ms: float = 0.0
    latency_ms: float = 0.0
    id: str = field(default_factory=_new_id)

    def after_failure(
        self, error: Exception, *, arm: str, model: str, place: Place | None = None
    ) -> Decision:
        """The same decision, taken over by ``arm`` because this one's arm failed with ``error``.

        Where arms failed before, ``fallback_from`` still names the first, which had been chosen;
        ``left_out`` holds them all.
        """
        said = f"{type(error).__name__}: {error}"
        if len(said) > _ERROR_LENGTH:
            said = said[: _ERROR_LENGTH - 1] + "…"
        is_first = self.fallback_from is None
        return replace(
            self,
            arm=arm,
            model=model,
            place=place,
            reason="fallback",
            continues=None,
            left_out={**self.left_out, self.arm: f"it failed: {said}"},
            fallback_from=self.arm if is_first else self.fallback_from,
            fallback_from_place=self.place if is_first else self.fallback_from_place,
            fallback_error=said if is_first else self.fallback_error,
            promise=None,
            propensity=None,
        )

    def to_dict(self) -> dict[str, Any]:
        """A JSON-ready object with every field."""
        body = {item.name: getattr(self, item.name) for item in fields(self)}
        body["left_out"] = dict(self.left_out)
        body["estimates"] = {name: asdict(held) for name, held in self.estimates.items()}
        body["promise"] = None if self.promise is None else self.promise.to_dict()
        return body

    @property
    def scored(self) -> bool:
        """Whether the router's model was asked."""
        return self.score is not None or bool(self.estimates)

    def explain(self) -> str:
        """The decision in one sentence."""
        return f"{self.arm} ({self.model}) answers because {self.because()}."

    def because(self) -> str:
        """Why, as the end of that sentence."""
        if self.reason == "fallback":
            return f"{self.fallback_from} failed ({self.fallback_error})"
        if self.reason == "only_capable_arm":
            others = "; ".join(f"{name}: {why}" for name, why in self.left_out.items())
            return f"no other arm can serve the request ({others})"
        if self.continues is not None:
            return _CONTINUES[self.continues]
        if self.reason.startswith("mode_"):
            return f"the mode is {self.mode}"
        return self._by_model()

    def _by_model(self) -> str:
        """What the router's model says, or why it says nothing."""
        if self.reason == "out_of_scope":
            return self._out_of_scope()
        if self.reason == "explored":
            return "a share of the queries goes to an arm drawn at random"
        if self.reason == "highest_utility":
            return self._highest()
        if self.score is None:
            return f"the mode is {self.mode}"
        side = "below" if self.reason == "score_below_threshold" else "at or above"
        return f"the score {self.score:.3f} is {side} the threshold {self._threshold_text()}"

    def _highest(self) -> str:
        ranked = sorted(self.estimates.items(), key=lambda item: -item[1].utility)
        said = ", ".join(
            f"{name} {held.mean:.3f}" + (f" - {held.charge:.3f}" if held.charge else "")
            for name, held in ranked
            if name not in self.left_out
        )
        return f"its estimate less its charge is the largest: {said}"

    def _out_of_scope(self) -> str:
        if self.unknown_share is None:
            return "there is no text to score"
        return f"the router does not know {self.unknown_share:.0%} of the text's tokens"

    def _threshold_text(self) -> str:
        if self.threshold is None:
            return "of another bundle"
        if self.promise is not None:
            return f"{self.threshold:.3f} ({self.promise})"
        asked = None if self.setting_kind == "threshold" else getattr(self, self.setting_kind, None)
        if asked is None:
            return f"{self.threshold:.3f}"
        return f"{self.threshold:.3f} ({self.setting_kind.replace('_', ' ')} {asked:g})"
