"""``client.chat.completions.create(...)``: OpenAI's parameters, spelled out, to a ChatRequest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, Literal, overload

from hybridroute.answerer import Answerer, Streamed_co, Whole_co
from hybridroute.arguments import (
    check_model,
    flag_of,
    mapping_of,
    messages_of,
    one_limit,
    stops_of,
    tools_of,
)
from hybridroute.decision import Mode
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.openai_fields import refuse, sent_on
from hybridroute.promise import Promise
from hybridroute.setting import Setting, setting_from


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
        logit_bias: Mapping[str, int] | None = None,
        metadata: Mapping[str, str] | None = None,
        parallel_tool_calls: bool | None = None,
        prediction: Mapping[str, Any] | None = None,
        prompt_cache_key: str | None = None,
        prompt_cache_options: Mapping[str, Any] | None = None,
        prompt_cache_retention: str | None = None,
        reasoning_effort: str | None = None,
        safety_identifier: str | None = None,
        service_tier: str | None = None,
        store: bool | None = None,
        user: str | None = None,
        verbosity: str | None = None,
        web_search_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        setting: Setting | None = None,
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
        logit_bias: Mapping[str, int] | None = None,
        metadata: Mapping[str, str] | None = None,
        parallel_tool_calls: bool | None = None,
        prediction: Mapping[str, Any] | None = None,
        prompt_cache_key: str | None = None,
        prompt_cache_options: Mapping[str, Any] | None = None,
        prompt_cache_retention: str | None = None,
        reasoning_effort: str | None = None,
        safety_identifier: str | None = None,
        service_tier: str | None = None,
        store: bool | None = None,
        user: str | None = None,
        verbosity: str | None = None,
        web_search_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        setting: Setting | None = None,
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
        logit_bias: Mapping[str, int] | None = None,
        metadata: Mapping[str, str] | None = None,
        parallel_tool_calls: bool | None = None,
        prediction: Mapping[str, Any] | None = None,
        prompt_cache_key: str | None = None,
        prompt_cache_options: Mapping[str, Any] | None = None,
        prompt_cache_retention: str | None = None,
        reasoning_effort: str | None = None,
        safety_identifier: str | None = None,
        service_tier: str | None = None,
        store: bool | None = None,
        user: str | None = None,
        verbosity: str | None = None,
        web_search_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        setting: Setting | None = None,
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
        logit_bias: Mapping[str, int] | None = None,
        metadata: Mapping[str, str] | None = None,
        parallel_tool_calls: bool | None = None,
        prediction: Mapping[str, Any] | None = None,
        prompt_cache_key: str | None = None,
        prompt_cache_options: Mapping[str, Any] | None = None,
        prompt_cache_retention: str | None = None,
        reasoning_effort: str | None = None,
        safety_identifier: str | None = None,
        service_tier: str | None = None,
        store: bool | None = None,
        user: str | None = None,
        verbosity: str | None = None,
        web_search_options: Mapping[str, Any] | None = None,
        extra_body: Mapping[str, Any] | None = None,
        timeout: float | None = None,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        setting: Setting | None = None,
        mode: Mode | None = None,
        session: str | None = None,
        audio: object = None,
        extra_headers: object = None,
        extra_query: object = None,
        function_call: object = None,
        functions: object = None,
        logprobs: object = None,
        modalities: object = None,
        moderation: object = None,
        top_logprobs: object = None,
    ) -> Whole_co | Streamed_co:
        """Answer one chat request.

        The parameters are OpenAI's, and six of this package's:

        Parameters
        ----------
        model : str, optional
            ``"auto"`` or left out; the router picks the model.
        stream_options, logit_bias, metadata ... web_search_options, extra_body : optional
            Sent on by the cloud arm. The edge, which cannot, is left out for ``logit_bias`` and
            ``web_search_options``, which change what is answered, and does without the others.
        timeout : float, optional
            Seconds, in place of the cloud's ``total_timeout_s``; the edge has no such limit.
        audio, ... top_logprobs : optional
            OpenAI's, and refused: each error says what to do instead.
        dial, threshold, cost_advantage : float, optional
        setting : Setting, optional
            For this request only; at most one of the four.
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
        check_model(model)
        is_streamed = flag_of("stream", stream)
        refuse({"audio": audio, "modalities": modalities, "moderation": moderation})
        refuse({"logprobs": logprobs, "top_logprobs": top_logprobs})
        refuse({"functions": functions, "function_call": function_call})
        refuse({"extra_headers": extra_headers, "extra_query": extra_query})
        extra = {
            "stream_options": stream_options,
            "logit_bias": logit_bias,
            "metadata": metadata,
            "parallel_tool_calls": parallel_tool_calls,
            "prediction": prediction,
            "prompt_cache_key": prompt_cache_key,
            "prompt_cache_options": prompt_cache_options,
            "prompt_cache_retention": prompt_cache_retention,
            "reasoning_effort": reasoning_effort,
            "safety_identifier": safety_identifier,
            "service_tier": service_tier,
            "store": store,
            "user": user,
            "verbosity": verbosity,
            "web_search_options": web_search_options,
        }
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
            extra=sent_on(extra, extra_body),
            timeout_s=timeout,
        )
        asked = setting_from(
            dial=dial, threshold=threshold, cost_advantage=cost_advantage, setting=setting
        )
        answer = self._answerer.begin if is_streamed else self._answerer.answer
        return answer(request, setting=asked, mode=mode, session=session)


class Chat(Generic[Whole_co, Streamed_co]):
    """``client.chat``."""

    def __init__(self, answerer: Answerer[Whole_co, Streamed_co]) -> None:
        self.completions = Completions(answerer)
