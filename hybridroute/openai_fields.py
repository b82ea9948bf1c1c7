"""OpenAI's parameters that nothing here reads: those that are sent on, and those that are refused.

What is sent on reaches the cloud as it is. Two of them change what is answered, ``logit_bias`` and
``web_search_options``: an arm without that capability is left out. The others are hints to a hosted
model or about its account, and the edge does without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hybridroute.arguments import mapping_of
from hybridroute.edge_runtime.errors import RequestError

SENT_ON: Mapping[str, type] = {
    "logit_bias": Mapping,
    "metadata": Mapping,
    "parallel_tool_calls": bool,
    "prediction": Mapping,
    "prompt_cache_key": str,
    "prompt_cache_options": Mapping,
    "prompt_cache_retention": str,
    "reasoning_effort": str,
    "safety_identifier": str,
    "service_tier": str,
    "store": bool,
    "user": str,
    "verbosity": str,
    "web_search_options": Mapping,
}
"""What each is."""

_WORDS = {Mapping: "a mapping", bool: "True or False", str: "text"}
_NO_PLACE = (
    "answers here have no place for it; leave it out, or ask the endpoint with its own client"
)
REFUSED: Mapping[str, str] = {
    "audio": "answers here are text; leave it out",
    "extra_headers": "no header is sent for one request alone; set CloudSettings(headers=...)",
    "extra_query": "no query is sent; give body fields as extra_body",
    "function_call": "OpenAI replaced it; give tool_choice",
    "functions": "OpenAI replaced it; give tools",
    "logprobs": _NO_PLACE,
    "modalities": "answers here are text; leave it out",
    "moderation": _NO_PLACE,
    "top_logprobs": _NO_PLACE,
}
"""Why, and what to do instead."""


def sent_on(given: Mapping[str, object], extra_body: Mapping[str, Any] | None) -> dict[str, Any]:
    """The body fields to send on; those of ``extra_body`` count where both name one.

    Raises
    ------
    RequestError
        If a value is of another type, or ``extra_body`` is no mapping.
    """
    held = {name: value for name, value in given.items() if value is not None}
    for name, value in held.items():
        kind = SENT_ON.get(name, Mapping)
        if not isinstance(value, kind):
            said = type(value).__name__
            raise RequestError(f"{name} is a {said}; give {_WORDS[kind]}", param=name)
    return held | mapping_of("extra_body", extra_body)


def refuse(given: Mapping[str, object]) -> None:
    """Refuse what cannot be honoured; a value that asks for nothing passes.

    Raises
    ------
    RequestError
        It names the parameter and says what to do.
    """
    for name, value in given.items():
        if value and not (name == "modalities" and value == ["text"]):
            raise RequestError(f"{name} is given, and {REFUSED[name]}", param=name)
