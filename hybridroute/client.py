"""HybridClient: what an application talks to."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from hybridroute.answer_watch import AnswerWatch
from hybridroute.attempts import Attempts, complete
from hybridroute.chat_api import Chat
from hybridroute.client_logs import ClientLogs
from hybridroute.client_parts import client_parts
from hybridroute.decision import Decision, Mode
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.protocols import Arm
from hybridroute.exploration import Exploration
from hybridroute.modes import checked_mode, narrowed_mode
from hybridroute.promise import Promise
from hybridroute.responses import ChatCompletion
from hybridroute.routed_request import routed_request
from hybridroute.sessions import Sessions, SessionSettings
from hybridroute.setting import Setting, setting_from
from hybridroute.stream import ChatStream
from hybridroute.tracing import trace_answer, trace_route
from hybridroute.turning import Turnable, Turning

if TYPE_CHECKING:
    from hybridroute.cloud import CloudSettings
    from hybridroute.decision_log import DecisionLog

_log = logging.getLogger(__name__)


class HybridClient(Turnable):
    """Answers chat requests on the device or in the cloud, whichever the router picks.

    Parameters
    ----------
    bundle : path or Bundle, optional
        The trained router: its folder, or the name of one that comes with the package,
        ``"default"`` (taken if none is given) or ``"demo"``.
    edge : str or Arm, optional
        The small model: a registered name, a GGUF file's path, or an arm of your own.
    cloud : CloudSettings or Arm, optional
        The large model. Without one the edge answers everything.
    arms : sequence of Arm, optional
        In place of the two, for a bundle that routes among several: each under its name there.
    mode : {"auto", "only_on_device", "only_in_cloud", "prefer_on_device", "prefer_in_cloud"}
        ``only_on_device`` imports no network code at all, whatever ``cloud`` says. A preferred
        place answers everything it can; the other only what the first cannot serve, or failed at
        before its first token.
    dial : float or Promise, optional
    threshold, cost_advantage : float, optional
    setting : Setting, optional
        How much to send to the cloud; at most one of the four. Without one: the middle, see
        :attr:`Policy.default`.
    out_of_scope_arm : str, optional
        Who answers a text that the router cannot judge; by default the cloud, or the best single
        arm of a pool.
    fallback : bool
        Whether the other arm takes over when one fails before its first token.
    router_threads : int
        Threads of one routing decision.
    router_spins : bool
        Whether they hold their cores while they wait: faster on idle cores, costs
        more CPU time on shared ones.
    sessions : SessionSettings, optional
        How conversations are remembered; see ``session`` of ``chat.completions.create``.
    exploration : float or Exploration
        The share of queries for an arm drawn at random, for :meth:`feedback`; none by default.

    Raises
    ------
    ConfigError
        If an argument is wrong.
    BundleError
        If the bundle is missing, altered or not for this version.

    Examples
    --------
    >>> client = HybridClient(cloud=CloudSettings(...), dial=0.8)  # doctest: +SKIP
    >>> answer = client.chat.completions.create(
    ...     messages=[{"role": "user", "content": "What is 2+2?"}]
    ... )  # doctest: +SKIP
    >>> answer.hybridroute.explain()  # doctest: +SKIP
    """

    def __init__(
        self,
        bundle: str | os.PathLike[str] | Bundle | None = None,
        *,
        edge: str | Arm | None = None,
        cloud: CloudSettings | Arm | None = None,
        arms: Sequence[Arm] | None = None,
        mode: Mode = "auto",
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        setting: Setting | None = None,
        out_of_scope_arm: str | None = None,
        fallback: bool = True,
        router_threads: int = 2,
        router_spins: bool = True,
        sessions: SessionSettings | None = None,
        exploration: float | Exploration = 0.0,
    ) -> None:
        wanted = setting_from(
            dial=dial, threshold=threshold, cost_advantage=cost_advantage, setting=setting
        )
        parts = client_parts(
            bundle,
            edge=edge,
            cloud=cloud,
            arms=arms,
            mode=mode,
            out_of_scope_arm=out_of_scope_arm,
            router_threads=router_threads,
            router_spins=router_spins,
            exploration=exploration,
        )
        super().__init__(Turning(parts.policy, wanted))
        self._mode, self._bundle, self._costs = parts.mode, parts.bundle, parts.costs
        self._router = parts.router
        self.listeners.add(trace_answer)
        self._fallback = fallback
        self.sessions = Sessions(sessions)
        """The conversations that are remembered."""
        self._closed = False
        self._logs = ClientLogs(self._bundle, self.listeners)
        self.chat: Chat[ChatCompletion, ChatStream] = Chat(self)

    @property
    def mode(self) -> Mode:
        """The client's mode; a request may narrow it."""
        return self._mode

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that may answer, the cheapest first."""
        return self._router.arms

    @property
    def bundle(self) -> Bundle:
        """The router's bundle."""
        return self._bundle

    def route(
        self,
        messages: Iterable[Message],
        *,
        max_tokens: int | None = None,
        tools: Iterable[Mapping[str, Any]] | None = None,
        response_format: Mapping[str, Any] | None = None,
        logit_bias: Mapping[str, int] | None = None,
        web_search_options: Mapping[str, Any] | None = None,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        setting: Setting | None = None,
        mode: Mode | None = None,
        session: str | None = None,
        always_score: bool = True,
    ) -> Decision:
        """Decide without generating; no arm is loaded or called.

        Parameters
        ----------
        always_score : bool
            Score the text even where only one arm is left, so that the score can be looked at;
            ``create`` does not.

        Raises
        ------
        RequestError, ConfigError, ScoringError
            As ``chat.completions.create``.
        """
        request = routed_request(
            messages,
            max_tokens=max_tokens,
            tools=tools,
            response_format=response_format,
            logit_bias=logit_bias,
            web_search_options=web_search_options,
        )
        asked = setting_from(
            dial=dial, threshold=threshold, cost_advantage=cost_advantage, setting=setting
        )
        return self.decide(
            request, setting=asked, mode=mode, session=session, always_score=always_score
        )

    def decide(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None = None,
        mode: Mode | None = None,
        session: str | None = None,
        always_score: bool = True,
    ) -> Decision:
        """The Decision on a checked request; ``route`` builds on this."""
        return trace_route(self._decide(request, setting, mode, session, always_score=always_score))

    def answer(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None = None,
        mode: Mode | None = None,
        session: str | None = None,
    ) -> ChatCompletion:
        """The whole answer to a checked request; ``chat.completions.create`` builds on this."""
        attempts = self.prepare(request, setting=setting, mode=mode, session=session)
        return complete(attempts, request)

    def begin(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None = None,
        mode: Mode | None = None,
        session: str | None = None,
    ) -> ChatStream:
        """The answer to a checked request as a stream; routed now, asked at the first chunk."""
        attempts = self.prepare(request, setting=setting, mode=mode, session=session)
        return ChatStream(attempts, request, check_open=self._check_open)

    def prepare(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None = None,
        mode: Mode | None = None,
        session: str | None = None,
    ) -> Attempts:
        """Route a checked request: the Decision, and the arms to ask in their order."""
        watch = AnswerWatch(
            request,
            session=session,
            sessions=self.sessions,
            costs=self._costs,
            listeners=self.listeners,
        )
        decision = self._decide(request, setting, mode, session)
        arms = self._router.in_order(decision)
        return Attempts(decision, arms if self._fallback else arms[:1], watch)

    def log_to(self, path: str | os.PathLike[str], *, prompts: bool = False) -> DecisionLog:
        """Log every finished request to an SQLite file; see :meth:`ClientLogs.open`."""
        return self._logs.open(path, prompts=prompts)

    def feedback(self, id: str, good: bool | float) -> None:
        """Note how good a logged Decision's answer was; see :meth:`ClientLogs.rate`."""
        self._logs.rate(id, good)

    def warm_up(self) -> None:
        """Load the router and the edge's model, so that the first answer does not wait for them.

        Touches no network. Raises ConfigError, BundleError or ArmError where a part is missing.
        """
        self._check_open()
        self._router.warm_up()

    def close(self) -> None:
        """Free the models and connections; safe to call twice.

        Where an arm of your own raises, the others are closed all the same, and it is raised then.
        """
        self._closed = True
        with ExitStack() as closing:  # all are closed, also where one fails to
            closing.callback(self._logs.close)
            for arm in reversed(self._router.arms):
                closing.callback(arm.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _decide(
        self,
        request: ChatRequest,
        setting: Setting | None,
        mode: Mode | None,
        session: str | None,
        *,
        always_score: bool = False,
    ) -> Decision:
        self._check_open()
        decision = self._router.decide(
            request,
            self._turning.for_request(setting),
            mode=self._mode if mode is None else narrowed_mode(self._mode, checked_mode(mode)),
            always_score=always_score,
            standing=self.sessions.standing(request, session),
        )
        _log.debug("%s: %s, score %s", decision.arm, decision.reason, decision.score)
        return decision

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigError("this client was closed; make a new one")
