"""``client.chat.completions.create(...)``: OpenAI's parameters, spelled out, to a ChatRequest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar, overload

from hybridroute.arguments import mapping_of, messages_of, one_limit, stops_of, tools_of
from hybridroute.decision import Mode
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.promise import Promise
from hybridroute.setting import Setting, setting_from

ROUTED_MODELS = ("auto", "hybridroute")
"""What ``model`` may say, for code that has to say something: the router picks the model."""


Whole_co = TypeVar("Whole_co", covariant=True)
Streamed_co = TypeVar("Streamed_co", covariant=True)


class Answerer(Protocol[Whole_co, Streamed_co]):
    """What takes a checked request and answers it; each client is one.

    A client that blocks gives answers, an asynchronous one awaitables of them.
    """

    def answer(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None,
        mode: Mode | None,
        session: str | None,
    ) -> Whole_co:
        """The whole answer."""
        ...

    def begin(
        self,
        request: ChatRequest,
        *,
        setting: Setting | None,
        mode: Mode | None,
        session: str | None,
    ) -> Streamed_co:
        """The answer as a stream."""
        ...


class Completions(Generic[Whole_co, Streamed_co]):
    """``client.chat.completions``."""

    def __init__(self, answerer: Answerer[Whole_co, Streamed_co]) -> None:
        self._answerer = answerer

    @overload
    def create(
        self,
        *,
        messages: Iterable[Message],
        model: str | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] | None = None,
        n: int | None = None,
        tools: Iterable[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
        presence_penalty: float | None = None,
        frequency_penalty: float | None = None,
        stream: Literal[False] = False,
        stream_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        mode: Mode | None = None,
        session: str | None = None,
    ) -> Whole_co: ...

    @overload
    def create(
        self,
        *,
        messages: Iterable[Message],
        model: str | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] | None = None,
        n: int | None = None,
        tools: Iterable[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
        presence_penalty: float | None = None,
        frequency_penalty: float | None = None,
        stream: Literal[True],
        stream_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        mode: Mode | None = None,
        session: str | None = None,
    ) -> Streamed_co: ...

    @overload
    def create(
        self,
        *,
        messages: Iterable[Message],
        model: str | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] | None = None,
        n: int | None = None,
        tools: Iterable[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
        presence_penalty: float | None = None,
        frequency_penalty: float | None = None,
        stream: bool,
        stream_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        mode: Mode | None = None,
        session: str | None = None,
    ) -> Whole_co | Streamed_co: ...

    def create(
        self,
        *,
        messages: Iterable[Message],
        model: str | None = None,
        max_tokens: int | None = None,
        max_completion_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        stop: str | Sequence[str] | None = None,
        n: int | None = None,
        tools: Iterable[Mapping[str, Any]] | None = None,
        tool_choice: str | Mapping[str, Any] | None = None,
        response_format: Mapping[str, Any] | None = None,
        presence_penalty: float | None = None,
        frequency_penalty: float | None = None,
        stream: bool = False,
        stream_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        mode: Mode | None = None,
        session: str | None = None,
    ) -> Whole_co | Streamed_co:
        """Answer one chat request.

        The parameters are OpenAI's, and five of this package's:

        Parameters
        ----------
        model : str, optional
            ``"auto"`` or left out; the router picks the model.
        stream_options, extra_body : mapping, optional
            Sent on by the cloud arm; the edge arm ignores them.
        dial, threshold, cost_advantage : float, optional
            For this request only; at most one. See :class:`Setting`.
        mode : str, optional
            For this request only; may narrow the client's mode, never widen it.
        session : str, optional
            The conversation's id, up to 256 characters; kept in memory only. A tool loop and a
            short follow-up stay on the arm that began; a harder request goes up at once, easier
            ones go down only after several. A tool loop is known without an id.

        Returns
        -------
        ChatCompletion or ChatStream
            A stream if ``stream`` is true. Both carry the Decision. :class:`AsyncHybridClient`
            gives awaitables: of a ChatCompletion, or of an AsyncChatStream.

        Raises
        ------
        RequestError
            If the request is malformed, or no arm can serve it (NoCapableArm).
        ConfigError
            If a setting is wrong, or the client was closed.
        ArmError
            If the arm fails and no other may take over.
        """
        _check_model(model)
        extra = mapping_of("extra_body", extra_body)
        if stream_options is not None:
            extra["stream_options"] = mapping_of("stream_options", stream_options)
        request = ChatRequest(
            messages=messages_of(messages),
            max_tokens=one_limit(max_tokens, max_completion_tokens),
            temperature=temperature,
            top_p=top_p,
            seed=seed,
            stop=stops_of(stop),
            n=1 if n is None else n,
            tools=tools_of(tools),
            tool_choice=tool_choice,
            response_format=mapping_of("response_format", response_format) or None,
            presence_penalty=presence_penalty,
            frequency_penalty=frequency_penalty,
            extra=extra,
        )
        setting = setting_from(dial=dial, threshold=threshold, cost_advantage=cost_advantage)
        if stream:
            return self._answerer.begin(request, setting=setting, mode=mode, session=session)
        return self._answerer.answer(request, setting=setting, mode=mode, session=session)


class Chat(Generic[Whole_co, Streamed_co]):
    """``client.chat``."""

    def __init__(self, answerer: Answerer[Whole_co, Streamed_co]) -> None:
        self.completions = Completions(answerer)


def _check_model(model: str | None) -> None:
    if model is not None and model not in ROUTED_MODELS:
        raise ConfigError(
            f"model is {model!r}, but the router picks the model: leave it out or say 'auto'. The "
            "models are set where the client is made (edge=, cloud=); mode= forces one of them"
        )
