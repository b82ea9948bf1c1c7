"""The arguments of a chat request, by shape: what JSON-minded callers get wrong most often."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hybridroute.edge_runtime.chat import Message
from hybridroute.edge_runtime.errors import ConfigError, RequestError

ROUTED_MODELS = ("auto", "hybridroute")
"""What ``model`` may say, for code that has to say something: the router picks the model."""


def messages_of(given: Iterable[Message]) -> tuple[Message, ...]:
    """The messages as ChatRequest takes them, which looks into each one.

    Raises
    ------
    RequestError
        If they are text or cannot be iterated over.
    """
    return _items("messages", given, "[{'role': 'user', 'content': '...'}]")


def tools_of(given: Iterable[Mapping[str, Any]] | None) -> tuple[Mapping[str, Any], ...]:
    """The tools as ChatRequest takes them.

    Raises
    ------
    RequestError
        If they are not mappings.
    """
    tools = _items("tools", given or (), "[{'type': 'function', 'function': {...}}]")
    for position, tool in enumerate(tools):
        _check_mapping(f"tools[{position}]", tool)
    return tools


def stops_of(given: str | Iterable[str] | None) -> tuple[str, ...]:
    """The stop strings as ChatRequest takes them, which looks at each one.

    Raises
    ------
    RequestError
        If they are neither a string nor a list.
    """
    if isinstance(given, str):
        return (given,)
    return _items("stop", () if given is None else given, "['END']")


def mapping_of(name: str, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """A copy of a mapping; {} for None.

    Raises
    ------
    RequestError
        If it is something else.
    """
    if given is None:
        return {}
    _check_mapping(name, given)
    return dict(given)


def flag_of(name: str, given: object) -> bool:
    """A flag; False for None.

    Raises
    ------
    RequestError
        If it is neither: a text such as "false" would count as true.
    """
    if given is None or isinstance(given, bool):
        return bool(given)
    raise RequestError(f"{name} is {given!r}; give True or False", param=name)


def one_limit(max_tokens: int | None, max_completion_tokens: int | None) -> int | None:
    """OpenAI's two names of the answer's length as one.

    Raises
    ------
    RequestError
        If both are given and differ.
    """
    if max_tokens is None or max_completion_tokens is None:
        return max_completion_tokens if max_tokens is None else max_tokens
    if max_tokens != max_completion_tokens:
        raise RequestError(
            f"max_tokens is {max_tokens!r} and max_completion_tokens {max_completion_tokens!r}; "
            "they mean the same: give one",
            param="max_tokens",
        )
    return max_tokens


def check_model(model: str | None) -> None:
    """Refuse a ``model`` that names one: the router picks.

    Raises
    ------
    ConfigError
        If it is anything but ``"auto"``, ``"hybridroute"`` or None.
    """
    if model is not None and model not in ROUTED_MODELS:
        raise ConfigError(
            f"model is {model!r}, but the router picks the model: leave it out or say 'auto'. The "
            "models are set where the client is made (edge=, cloud=); mode= forces one of them",
            param="model",
        )


def _check_mapping(name: str, given: object) -> None:
    if not isinstance(given, Mapping):
        raise RequestError(f"{name} is a {type(given).__name__}; give a mapping", param=name)


def _items(name: str, given: Iterable[Any], example: str) -> tuple[Any, ...]:
    wrong = f"{name} is a {type(given).__name__}; give a list such as {example}"
    if isinstance(given, (str, bytes, Mapping)):
        raise RequestError(wrong, param=name)
    try:
        return tuple(given)
    except TypeError as exc:
        raise RequestError(wrong, param=name) from exc
