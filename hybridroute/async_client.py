"""AsyncHybridClient: the client for programs that run an event loop."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from hybridroute.async_stream import AsyncChatStream
from hybridroute.attempts import complete
from hybridroute.chat_api import Chat
from hybridroute.client import HybridClient
from hybridroute.decision import Decision, Mode
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.protocols import Arm
from hybridroute.exploration import Exploration
from hybridroute.loop_threads import LoopThreads
from hybridroute.promise import Promise
from hybridroute.responses import ChatCompletion
from hybridroute.routed_request import routed_request
from hybridroute.sessions import SessionSettings
from hybridroute.setting import Setting, setting_from
from hybridroute.turning import Turnable

if TYPE_CHECKING:
    from hybridroute.cloud import CloudSettings
    from hybridroute.decision_log import DecisionLog

MAX_CONCURRENCY = 128


class AsyncHybridClient(Turnable):
    """A :class:`HybridClient` whose answers are awaited. It never blocks the event loop.

    Routing and answering run in threads of its own, over one HybridClient: the decisions are the
    same. Cancelling a task that awaits an answer, or a chunk of one, cancels the generation between
    two tokens. Making a client reads and checks the bundle (some 50 ms): make it before the loop
    runs. It may be used from several loops.

    Parameters
    ----------
    bundle, edge, cloud, arms, mode, dial, threshold, cost_advantage, setting,
    out_of_scope_arm, fallback, router_threads, router_spins, sessions, exploration
        As for :class:`HybridClient`.
    max_concurrency : int
        Answers at the same time; further ones wait for a thread. Routing never waits for answers.

    Raises
    ------
    ConfigError, BundleError
        As for :class:`HybridClient`.

    Examples
    --------
    >>> async with AsyncHybridClient(cloud=CloudSettings(...)) as client:  # doctest: +SKIP
    ...     stream = await client.chat.completions.create(
    ...         messages=[{"role": "user", "content": "What is 2+2?"}], stream=True
    ...     )
    ...     async for chunk in stream:
    ...         print(chunk.choices[0].delta.content or "", end="")
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
        max_concurrency: int = MAX_CONCURRENCY,
    ) -> None:
        client = HybridClient(
            bundle,
            edge=edge,
            cloud=cloud,
            arms=arms,
            mode=mode,
            dial=dial,
            threshold=threshold,
            cost_advantage=cost_advantage,
            setting=setting,
            out_of_scope_arm=out_of_scope_arm,
            fallback=fallback,
            router_threads=router_threads,
            router_spins=router_spins,
            sessions=sessions,
            exploration=exploration,
        )
        self._set_up(client, max_concurrency)

    @classmethod
    def over(cls, client: HybridClient, *, max_concurrency: int = MAX_CONCURRENCY) -> Self:
        """The asynchronous face of a client there is: same arms, same setting.

        Turning one turns the other, and closing this one closes both.
        """
        made = cls.__new__(cls)
        made._set_up(client, max_concurrency)
        return made

    def _set_up(self, client: HybridClient, max_concurrency: int) -> None:
        Turnable.__init__(self, client._turning)
        self._client = client
        self._threads = LoopThreads(max_concurrency)
        self.sessions = client.sessions
        self.chat: Chat[
            Coroutine[Any, Any, ChatCompletion], Coroutine[Any, Any, AsyncChatStream]
        ] = Chat(self)

    @property
    def mode(self) -> Mode:
        """The client's mode; a request may narrow it."""
        return self._client.mode

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The arms that may answer, the cheapest first."""
        return self._client.arms

    @property
    def bundle(self) -> Bundle:
        """The router's bundle."""
        return self._client.bundle

    async def route(
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
        """Decide without generating; see :meth:`HybridClient.route`."""
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
        return await self.decide(
            request, setting=asked, mode=mode, session=session, always_score=always_score
        )

    async def decide(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None = None,
        mode: Mode | None = None,
        session: str | None = None,
        always_score: bool = True,
    ) -> Decision:
        """The Decision on a checked request; ``route`` builds on this."""
        return await self._threads.decide(
            lambda: self._client.decide(
                request, setting=setting, mode=mode, session=session, always_score=always_score
            )
        )

    async def answer(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None = None,
        mode: Mode | None = None,
        session: str | None = None,
    ) -> ChatCompletion:
        """The whole answer to a checked request; ``chat.completions.create`` builds on this."""
        return await self._threads.decide_and_answer(
            lambda: self._client.prepare(request, setting=setting, mode=mode, session=session),
            lambda attempts, stop: complete(attempts, request, stop),
        )

    async def begin(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None = None,
        mode: Mode | None = None,
        session: str | None = None,
    ) -> AsyncChatStream:
        """The answer to a checked request as a stream; routed now, asked at the first chunk."""
        stream = await self._threads.decide(
            lambda: self._client.begin(request, setting=setting, mode=mode, session=session)
        )
        return AsyncChatStream(stream, self._threads)

    def log_to(self, path: str | os.PathLike[str], *, prompts: bool = False) -> DecisionLog:
        """Log every finished request to an SQLite file; see :meth:`HybridClient.log_to`."""
        return self._client.log_to(path, prompts=prompts)

    async def feedback(self, id: str, good: bool | float) -> None:
        """Note how good an answer was; see :meth:`HybridClient.feedback`."""
        await self._threads.decide(lambda: self._client.feedback(id, good))

    async def warm_up(self) -> None:
        """Load the router and the edge's model; see :meth:`HybridClient.warm_up`."""
        await self._threads.answer(lambda _: self._client.warm_up())

    async def aclose(self) -> None:
        """End what runs, free models, connections and threads; safe to call twice."""
        await self._threads.close(self._client.close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()
