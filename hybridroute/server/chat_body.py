"""OpenAI's body of a chat request, and this package's fields in it, as what a client takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hybridroute.arguments import (
    ROUTED_MODELS,
    mapping_of,
    messages_of,
    one_limit,
    stops_of,
    tools_of,
)
from hybridroute.decision import Mode
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.modes import checked_mode
from hybridroute.openai_fields import SENT_ON
from hybridroute.promise import Promise
from hybridroute.server.api_errors import ApiError
from hybridroute.server.chat_shapes import check_flags, check_shapes
from hybridroute.server.response_format import check_response_format
from hybridroute.setting import Setting

MODEL = "hybridroute"
SETTINGS = ("dial", "threshold", "cost_advantage", "cost_weight", "budget_usd", "promise")
UNSAID_TOKENS = 1024
"""What each of several answers counts as where ``max_tokens`` is not given."""
_STREAM_OPTIONS = ("include_usage", "include_obfuscation")
_PROMISED = frozenset({"max_drop", "confidence", "drop_kind"})

_OWN = frozenset(
    {
        *("messages", "model", "max_tokens", "max_completion_tokens", "temperature", "top_p"),
        *("seed", "stop", "n", "tools", "tool_choice", "response_format", "presence_penalty"),
        *("frequency_penalty", "stream", "stream_options", *SETTINGS, "mode", "session"),
    }
)
# Those whose answers this server has no place for (logprobs, audio, functions) are refused like
# unknown ones, rather than dropped in silence.
FIELDS = _OWN | frozenset(SENT_ON)
"""All that a body may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatBody:
    """A checked chat request, with what the caller said of routing it.

    Parameters
    ----------
    request : ChatRequest
    setting : Setting or None
        For this request; None leaves it to the dial in force.
    mode, session : str or None
    stream, include_usage : bool
    """

    request: ChatRequest
    setting: Setting | None = None
    mode: Mode | None = None
    session: str | None = None
    stream: bool = False
    include_usage: bool = False


def chat_body(
    body: Mapping[str, Any], headers: Mapping[str, str], *, max_answer_tokens: int
) -> ChatBody:
    """Check a body.

    The dial may stand in the body, in the header ``x-hybridroute-dial`` or in the model's name
    (``hybridroute:0.8``), mode and session in the first two: the first that is there counts.

    Raises
    ------
    ApiError, RequestError, ConfigError
        If it is not a chat request that this server takes.
    """
    for name in body:
        if name not in FIELDS:
            raise ApiError(
                400,
                f"Unrecognized request argument supplied: {name[:80]}. This server takes OpenAI's "
                f"chat fields, {', '.join(SETTINGS)}, mode and session",
                code="unknown_parameter",
                param=name[:80],
            )
    named = _dial_of_model(body.get("model"))
    options = mapping_of("stream_options", body.get("stream_options"))
    check_flags("stream_options", options, _STREAM_OPTIONS)
    request = _request(body)
    check_shapes(body)
    if request.response_format is not None:
        check_response_format(request.response_format)
    _check_length(request, max_answer_tokens)
    return ChatBody(
        request=request,
        setting=_setting(body, headers) or named,
        mode=_mode(body, headers),
        session=_said(body, headers, "session"),
        stream=_flag("stream", body.get("stream")),
        include_usage=bool(options.get("include_usage")),
    )


def _request(body: Mapping[str, Any]) -> ChatRequest:
    count = body.get("n")
    for name in ("max_tokens", "max_completion_tokens"):
        _check_number(name, body.get(name))
    return ChatRequest(
        messages=messages_of(body.get("messages") or ()),
        max_tokens=one_limit(body.get("max_tokens"), body.get("max_completion_tokens")),
        temperature=body.get("temperature"),
        top_p=body.get("top_p"),
        seed=body.get("seed"),
        stop=stops_of(body.get("stop")),
        n=1 if count is None else count,
        tools=tools_of(body.get("tools")),
        tool_choice=body.get("tool_choice"),
        response_format=mapping_of("response_format", body.get("response_format")) or None,
        presence_penalty=body.get("presence_penalty"),
        frequency_penalty=body.get("frequency_penalty"),
        extra={
            name: value for name, value in body.items() if name in SENT_ON and value is not None
        },
    )


def _check_length(request: ChatRequest, most: int) -> None:
    """Hold ``n`` answers to the server's limit, those of no stated length by a usual one.

    ``max_tokens`` is not filled in: an arm with a small context would be left out for an answer
    that nobody asked to be that long, and some models refuse the field.
    """
    asked, n = request.max_tokens, request.n
    if asked is not None and asked * n > most:
        raise ApiError(
            400,
            f"max_tokens is {asked} for n = {n} answers; this server gives at most {most} tokens "
            f"a request",
            code="max_tokens_too_large",
            param="max_tokens",
        )
    if asked is None and n > 1 and n * UNSAID_TOKENS > most:
        raise ApiError(
            400,
            f"n is {n} without max_tokens, so that each answer counts as {UNSAID_TOKENS} tokens; "
            f"this server gives at most {most} a request. Ask for fewer, or give max_tokens",
            code="max_tokens_too_large",
            param="n",
        )


def setting_in(body: Mapping[str, Any]) -> Setting | None:
    """The setting a body gives in one of its four forms, or None.

    Raises
    ------
    ConfigError
        If several are given, or the number is out of range.
    """
    given = {name: body[name] for name in SETTINGS if body.get(name) is not None}
    if "promise" in given:
        given["promise"] = _promise(given["promise"])
    return Setting(**given) if given else None


def _promise(said: Any) -> Promise:
    if not isinstance(said, dict) or not _PROMISED.issuperset(said) or "max_drop" not in said:
        raise ApiError(
            400,
            'promise is not understood; give an object such as {"max_drop": 0.02, '
            '"confidence": 0.9}',
            param="promise",
        )
    return Promise(
        max_drop=said["max_drop"],
        confidence=said.get("confidence", 0.9),
        drop_kind=said.get("drop_kind", "absolute"),
    )


def _setting(body: Mapping[str, Any], headers: Mapping[str, str]) -> Setting | None:
    given = setting_in(body)
    if given is not None:
        return given
    said = headers.get("x-hybridroute-dial", "").strip()
    if not said:
        return None
    return Setting(dial=_number("x-hybridroute-dial", said, param="x-hybridroute-dial"))


def _mode(body: Mapping[str, Any], headers: Mapping[str, str]) -> Mode | None:
    given = _said(body, headers, "mode")
    return None if given is None else checked_mode(given)


def _said(body: Mapping[str, Any], headers: Mapping[str, str], name: str) -> Any:
    """A value of the body, else of our header of that name, else None."""
    given = body.get(name)
    return (headers.get(f"x-hybridroute-{name}", "").strip() or None) if given is None else given


def _dial_of_model(model: Any) -> Setting | None:
    """The dial in ``hybridroute:0.8``; None for a plain name of ours."""
    if model is None or model in ROUTED_MODELS:
        return None
    if isinstance(model, str):
        name, colon, dial = model.partition(":")
        if name in ROUTED_MODELS and colon:
            return Setting(dial=_number("the dial in model", dial, param="model"))
    said = repr(model) if isinstance(model, str) else f"a {type(model).__name__}"
    raise ApiError(
        404 if isinstance(model, str) else 400,
        f"The model {said[:120]} does not exist here; ask for {MODEL!r}, or {MODEL + ':0.8'!r} to "
        "set the dial. The router picks the true model, which the answer names",
        code="model_not_found",
        param="model",
    )


def _number(name: str, text: str, *, param: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ConfigError(
            f"{name} is {text[:40]!r}; give a number from 0 to 1", param=param
        ) from None


def _flag(name: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise ApiError(400, f"{name} is {str(value)[:40]!r}; give true or false", param=name)


def _check_number(name: str, value: Any) -> None:
    """Before the two limits are compared: True equals 1."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise ApiError(400, f"{name} is {str(value)[:40]!r}; give a whole number", param=name)
