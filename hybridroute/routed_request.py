"""What ``client.route`` is asked about: the parts of a request that decide which arm can answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hybridroute.arguments import mapping_of, messages_of, tools_of
from hybridroute.edge_runtime.chat import ChatRequest, Message
from hybridroute.openai_fields import sent_on


def routed_request(
    messages: Iterable[Message],
    *,
    max_tokens: int | None,
    tools: Iterable[Mapping[str, Any]] | None,
    response_format: Mapping[str, Any] | None,
    logit_bias: Mapping[str, int] | None,
    web_search_options: Mapping[str, Any] | None,
) -> ChatRequest:
    """The request, checked as ``chat.completions.create`` checks it.

    Raises
    ------
    RequestError
        If a part is malformed.
    """
    return ChatRequest(
        messages=messages_of(messages),
        max_tokens=max_tokens,
        tools=tools_of(tools),
        response_format=mapping_of("response_format", response_format) or None,
        extra=sent_on({"logit_bias": logit_bias, "web_search_options": web_search_options}, None),
    )
