"""Messages -> Decision: which arm answers, before any arm is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import perf_counter

from hybridroute.charges import best_arm
from hybridroute.decision import PROMISED_REASONS, ArmEstimate, Continues, Decision, Mode, Reason
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import (
    ConfigError,
    HybridRouteError,
    NoCapableArm,
    RequestError,
)
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.edge_runtime.protocols import Arm, Assessment, Scorer
from hybridroute.edge_runtime.scope import is_out_of_scope
from hybridroute.exploration import Exploration
from hybridroute.modes import REASON_OF_MODE, preferred_arms, serves_mode
from hybridroute.policy import ActiveSetting
from hybridroute.routed_text import routed_text
from hybridroute.sessions import Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class _Choice:
    arm: Arm
    reason: Reason
    continues: Continues | None = None
    propensity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    """Decides, for one set of arms. Safe to call from several threads if its scorer is.

    In this order: the mode leaves arms out; arms that cannot serve the request are left out; if one
    arm is left it answers, unscored; a tool's result goes back to the arm that called it; the mode
    may prefer an arm; a short follow-up stays on its conversation's arm; a text that the router
    knows too little of goes to ``out_of_scope_arm``; else the arm answers whose estimate, less the
    setting's charge for it, is the largest, and a conversation goes up at once and down slowly. Of
    two arms, that is the score compared with the threshold.

    Parameters
    ----------
    scorer : Scorer
    manifest : Manifest
        Of the scorer's bundle.
    arms : tuple of Arm
        The cheapest first: edge, cloud; or arms of the bundle's pool, in its order. Names differ.
    absent : mapping of str to str
        Arms that are not there at all, and why.
    out_of_scope_arm : str
        The name of the arm that answers what the router cannot judge; the last capable arm stands
        in where it is left out.
    exploration : Exploration
        May hand what the router's model decides to an arm drawn at random; never by default.
    """

    scorer: Scorer
    manifest: Manifest
    arms: tuple[Arm, ...]
    absent: Mapping[str, str] = field(default_factory=dict)
    out_of_scope_arm: str = "cloud"
    exploration: Exploration = field(default_factory=lambda: Exploration(0.0))

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) != len(names):
            raise ConfigError(f"the arms are named {names}; give at least one, and distinct names")
        known = {*names, *self.absent}
        if self.out_of_scope_arm not in known:
            raise ConfigError(
                f"out_of_scope_arm is {self.out_of_scope_arm!r}; use one of {sorted(known)}"
            )
        unknown = [name for name in names if name not in self._columns]
        if unknown:
            raise ConfigError(
                f"the bundle's router knows nothing of arm {unknown[0]!r}; its arms are "
                f"{', '.join(self._columns)}. Name the arm so, or train a router for it"
            )

    @property
    def _columns(self) -> tuple[str, ...]:
        """The arms that the router's model estimates, in its order."""
        pool = self.manifest.pool
        return ("edge", "cloud") if pool is None else tuple(arm.name for arm in pool.arms)

    def warm_up(self) -> None:
        """Load what decides, if there is a choice, and the models on this device."""
        if len(self.arms) > 1:
            self.scorer.assess("Hello")
        for arm in self.arms:
            if arm.place == "device":
                arm.warm_up()

    def in_order(self, decision: Decision) -> tuple[Arm, ...]:
        """The arm that was decided on, then the others that could serve the request."""
        chosen = next(arm for arm in self.arms if arm.name == decision.arm)
        others = (arm for arm in self.arms if arm is not chosen)
        return (chosen, *(arm for arm in others if arm.name not in decision.left_out))

    def decide(
        self,
        request: ChatRequest,
        active: ActiveSetting,
        *,
        mode: Mode = "auto",
        always_score: bool = False,
        standing: Standing | None = None,
    ) -> Decision:
        """Decide which arm answers.

        Parameters
        ----------
        request : ChatRequest
        active : ActiveSetting
        mode : str
        always_score : bool
            Score the text even where the score changes nothing, so that it can be looked at.
        standing : Standing or None
            Where the conversation stands.

        Raises
        ------
        RequestError
            If the user's turns hold neither text nor an image.
        NoCapableArm
            If every arm was left out.
        ScoringError
            If the router's model fails.
        """
        start = perf_counter()
        text = _text_of(request)
        left_out = self._left_out(request, mode)
        capable = [arm for arm in self.arms if arm.name not in left_out]
        if not capable:
            reasons = "; ".join(f"{name}: {why}" for name, why in left_out.items())
            raise NoCapableArm(f"no arm can serve the request. {reasons}")
        checked = perf_counter()
        choice = self._settled(capable, active, mode, standing)
        assessment, score_ms = None, 0.0
        if text and (choice is None or always_score):
            begun = perf_counter()
            assessment = self.scorer.assess(text)
            score_ms = _ms(perf_counter() - begun)
        charges = active.charges.of(len(text))
        if choice is None:
            among = preferred_arms(capable, mode) or capable
            choice = self._by_estimates(assessment, charges, among, active, standing)
        return Decision(
            arm=choice.arm.name,
            model=choice.arm.model,
            place=choice.arm.place,
            reason=choice.reason,
            mode=mode,
            score=None if assessment is None else assessment.score,
            score_kind=self.scorer.score_kind,
            threshold=active.threshold,
            estimates=self._told(assessment, charges),
            setting_kind=active.setting.kind,
            dial=active.setting.dial,
            cost_advantage=active.setting.cost_advantage,
            cost_weight=active.setting.cost_weight,
            budget_usd=active.setting.budget_usd,
            calibrated=active.calibrated,
            promise=active.promise if choice.reason in PROMISED_REASONS else None,
            propensity=choice.propensity,
            unknown_share=None if assessment is None else assessment.unknown_share,
            left_out=left_out,
            continues=choice.continues,
            text_ms=_ms(checked - start),
            score_ms=score_ms,
            latency_ms=_ms(perf_counter() - start),
        )

    def _told(
        self, assessment: Assessment | None, charges: Sequence[float]
    ) -> dict[str, ArmEstimate]:
        """What the router says of each arm; of two arms the score, and 0 for the cloud."""
        if assessment is None:
            return {}
        sure = assessment.uncertainties or (None,) * len(assessment.estimates)
        held = zip(self._columns, assessment.estimates, sure, charges, strict=True)
        return {
            name: ArmEstimate(mean=mean, uncertainty=error, charge=charge)
            for name, mean, error, charge in held
        }

    def _left_out(self, request: ChatRequest, mode: Mode) -> dict[str, str]:
        left_out = dict(self.absent)
        for arm in self.arms:
            why = _why_not(arm, request) if serves_mode(arm, mode) else f"the mode is {mode}"
            if why is not None:
                left_out[arm.name] = why
        return left_out

    def _settled(
        self, capable: Sequence[Arm], active: ActiveSetting, mode: Mode, standing: Standing | None
    ) -> _Choice | None:
        """What is decided without the router's model; None where that decides."""
        preferred = preferred_arms(capable, mode)
        if len(capable) == 1:
            reason = REASON_OF_MODE[mode] if preferred else "only_capable_arm"
            return _Choice(arm=capable[0], reason=reason)
        arm = _arm_of(standing, capable)
        in_loop = standing is not None and standing.kind == "tool_loop"
        if len(preferred) == 1 and not (arm and in_loop):
            return _Choice(arm=preferred[0], reason=REASON_OF_MODE[mode])
        if standing is None or arm is None or (preferred and not in_loop and arm not in preferred):
            return None
        if not standing.stays(active.order, on_cheapest=arm is capable[0]):
            return None
        return _Choice(arm=arm, reason="session_continues", continues=standing.kind)

    def _by_estimates(
        self,
        assessment: Assessment | None,
        charges: Sequence[float],
        capable: Sequence[Arm],
        active: ActiveSetting,
        standing: Standing | None,
    ) -> _Choice:
        limit = self.manifest.unknown_token_limit
        if assessment is None or is_out_of_scope(assessment.unknown_share, limit):
            return _Choice(arm=self._out_of_scope(capable), reason="out_of_scope")
        at = {self._columns.index(arm.name): arm for arm in capable}
        picked = at[best_arm(assessment.estimates, charges, at)]
        on = _arm_of(standing, capable)
        goes_down = on is not None and capable.index(picked) < capable.index(on)
        if standing is not None and on is not None and goes_down and standing.holds(active.order):
            return _Choice(arm=on, reason="session_continues", continues="down_slowly")
        return self._explored(picked, capable)

    def _explored(self, picked: Arm, among: Sequence[Arm]) -> _Choice:
        """The picked arm, or one drawn at random."""
        arm, chance = self.exploration.choose(picked, among)
        reason: Reason = self._reason(picked) if arm is picked else "explored"
        return _Choice(arm=arm, reason=reason, propensity=chance)

    def _reason(self, picked: Arm) -> Reason:
        if self.manifest.pool is not None:
            return "highest_utility"
        is_edge = picked.name == self._columns[0]
        return "score_at_or_above_threshold" if is_edge else "score_below_threshold"

    def _out_of_scope(self, capable: Sequence[Arm]) -> Arm:
        named = (arm for arm in capable if arm.name == self.out_of_scope_arm)
        return next(named, capable[-1])


def _text_of(request: ChatRequest) -> str:
    text = routed_text(request.messages)
    if not text and not request.has_images:
        raise RequestError(
            "no user message holds any text; give at least one with role 'user' and content"
        )
    return text


def _arm_of(standing: Standing | None, capable: Sequence[Arm]) -> Arm | None:
    if standing is None:
        return None
    return next((arm for arm in capable if arm.name == standing.arm), None)


def _why_not(arm: Arm, request: ChatRequest) -> str | None:
    """Why the arm cannot serve the request, or None if it can."""
    can = arm.capabilities
    lacks = (
        (request.tools and not can.tools, "it takes no tools"),
        (request.wants_json and not can.json_mode, "it has no JSON mode"),
        (request.has_images and not can.images, "it takes no images"),
        (request.has_logit_bias and not can.logit_bias, "it takes no logit_bias"),
        (request.wants_web_search and not can.web_search, "it has no web search"),
    )
    for is_lacking, why in lacks:
        if is_lacking:
            return why
    if can.context_tokens is None:
        return None
    try:
        counted = arm.count_tokens(request.messages)
    except HybridRouteError as exc:  # a chat template may refuse them: one knows no system role
        return f"it cannot take the messages: {exc}"
    needed = counted + (request.max_tokens or 1)
    if needed <= can.context_tokens:
        return None
    return f"prompt and answer need {needed} tokens and its context holds {can.context_tokens}"


def _ms(seconds: float) -> float:
    return round(seconds * 1000.0, 3)
