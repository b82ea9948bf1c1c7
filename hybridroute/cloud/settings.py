"""Where the cloud model is, how to sign in, and how long to wait."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, urlsplit

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.loopback import is_loopback

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_DEFAULT_VARIABLE = "OPENAI_API_KEY"
_DEFAULT_HOST = "api.openai.com"
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x20-\x7e]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudSettings:
    """One OpenAI-compatible endpoint and the limits of a request to it.

    Parameters
    ----------
    base_url : str
        For example ``"https://api.openai.com/v1"``; ``/chat/completions`` is added to it. Plain
        ``http`` is for loopback hosts, or any host with ``allow_insecure_http``.
    model : str
        The model's name, sent in the body.
    api_key_env : str or None
        Name of the environment variable that holds the key, read at every call; ``""`` when the
        server needs no key. None is OPENAI_API_KEY for api.openai.com and for this machine; any
        other host's must be named, so that no host is sent another one's key.
    api_key : str or None
        The key itself, in place of ``api_key_env``.
    headers : mapping of str to str
        Sent with every request. Treated as secret. With an ``Authorization`` of its own, set
        ``api_key_env=""``.
    connect_timeout_s : float
        Time to connect, TLS included, for each address the host's name stands for. Looking the
        name up takes as long as the system's resolver lets it: nothing can interrupt that.
    chunk_timeout_s : float
        Streams: the longest silence between two reads, the first included. Comments that servers
        send to keep a connection alive count as a sign of life.
    total_timeout_s : float
        From the call to the last byte: tries, waits and a stream's reader included.
    max_retries : int
        Further tries after the first, all before the first byte of an answer.
    max_retry_wait_s : float
        The longest wait between tries. A server that asks for a longer one (``Retry-After``) is
        reported as unavailable at once, so that another arm can answer.
    context_tokens : int or None
        The model's context; None means no limit is known.
    tools, json_mode, images : bool
        What the model takes.
    price_in_usd_per_million, price_out_usd_per_million : float or None
        USD per million tokens, prompt and answer.
    max_response_bytes : int
        The longest body read, whole or streamed.
    stream_usage : bool
        Ask for token counts at the end of a stream (``stream_options``); False for servers that
        refuse the field.
    max_tokens_field : {"max_tokens", "max_completion_tokens"}
        The body field that carries ``max_tokens``; OpenAI's reasoning models take only the second.
    allow_insecure_http : bool
        Send key and prompts unencrypted to hosts that are not loopback.

    Raises
    ------
    ConfigError
        If a value is out of range. The message never holds a key or a header's value.
    """

    base_url: str
    model: str
    api_key_env: str | None = None
    api_key: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    connect_timeout_s: float = 5.0
    chunk_timeout_s: float = 30.0
    total_timeout_s: float = 120.0
    max_retries: int = 2
    max_retry_wait_s: float = 8.0
    context_tokens: int | None = None
    tools: bool = True
    json_mode: bool = True
    images: bool = True
    price_in_usd_per_million: float | None = None
    price_out_usd_per_million: float | None = None
    max_response_bytes: int = 16 * 1024 * 1024
    stream_usage: bool = True
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    allow_insecure_http: bool = False

    def __post_init__(self) -> None:
        parts = _checked_url(self.base_url)
        if parts.scheme == "http" and not (self.allow_insecure_http or self.is_loopback):
            raise ConfigError(
                f"base_url sends the key unencrypted to {parts.hostname}; use https, or set "
                "allow_insecure_http=True"
            )
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        object.__setattr__(self, "headers", _checked_headers(self.headers))
        if not isinstance(self.model, str) or not self.model.strip():
            raise ConfigError("model is empty; give the name the server knows")
        _check_key(self.api_key, self.api_key_env)
        self._check_numbers()
        self._check_key_is_meant_for_host()

    def _check_key_is_meant_for_host(self) -> None:
        if self.api_key is None and self.api_key_env is None and not self._is_default_host:
            raise ConfigError(
                f"no key is named for {self.host}: set api_key_env to the name of the variable "
                f"that holds it, or to '' if it needs none ({_DEFAULT_VARIABLE} is sent to "
                f"{_DEFAULT_HOST} and to this machine only)"
            )

    def _check_numbers(self) -> None:
        for name in ("connect_timeout_s", "chunk_timeout_s", "total_timeout_s"):
            _check_number(name, getattr(self, name), above=0.0)
        for name in ("max_retries", "max_retry_wait_s"):
            _check_number(name, getattr(self, name), least=0.0)
        for name in ("price_in_usd_per_million", "price_out_usd_per_million"):
            if getattr(self, name) is not None:
                _check_number(name, getattr(self, name), least=0.0)
        if self.context_tokens is not None:
            _check_number("context_tokens", self.context_tokens, least=1.0)
        _check_number("max_response_bytes", self.max_response_bytes, least=1.0)
        if self.max_tokens_field not in ("max_tokens", "max_completion_tokens"):
            raise ConfigError(
                f"max_tokens_field is {self.max_tokens_field!r}; use 'max_tokens' or "
                "'max_completion_tokens'"
            )

    @property
    def key_variable(self) -> str:
        """The variable that the key is read from; "" where none is."""
        if self.api_key is not None:
            return ""
        return _DEFAULT_VARIABLE if self.api_key_env is None else self.api_key_env

    @property
    def _is_default_host(self) -> bool:
        return self.host == _DEFAULT_HOST or self.is_loopback

    @property
    def host(self) -> str:
        """The host's name, without port."""
        return urlsplit(self.base_url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Whether the endpoint is on this machine."""
        return is_loopback(self.host)


def _checked_url(base_url: str) -> SplitResult:
    try:
        parts = urlsplit(base_url)
        port_is_fine = parts.port is None or parts.port > 0
    except (ValueError, AttributeError, TypeError) as exc:
        raise ConfigError("base_url is not a URL; give one like https://host/v1") from exc
    # The value stays out of these messages: a key may have been pasted into it.
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            "base_url holds a user name, a query or a fragment; put keys in api_key_env or headers"
        )
    if parts.scheme not in ("http", "https"):
        raise ConfigError(f"base_url's scheme is {parts.scheme!r}; use https")
    if not parts.hostname or not port_is_fine or re.search(r"[\s\\]", base_url):
        raise ConfigError("base_url has no usable host or port; give one like https://host/v1")
    return parts


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigError("headers holds a name that HTTP does not allow")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise ConfigError(f"the header {name} has a value that is not plain ASCII text")
    return dict(headers)


def _check_key(api_key: str | None, api_key_env: str | None) -> None:
    if api_key is not None and not usable_key(api_key):
        raise ConfigError("api_key is empty or not plain ASCII text; use the key as it was given")
    if api_key_env is None or api_key_env == "":
        return
    if not isinstance(api_key_env, str) or not _VARIABLE.fullmatch(api_key_env):
        raise ConfigError(
            "api_key_env is not a variable's name (its value is not shown: it may be the key "
            "itself); give a name like OPENAI_API_KEY"
        )


def usable_key(key: str) -> bool:
    """Whether a key can stand in an HTTP header."""
    return bool(key) and key.isascii() and key.isprintable() and " " not in key


def _check_number(
    name: str, value: float, *, above: float | None = None, least: float | None = None
) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        raise ConfigError(f"{name} is {value!r}; give a finite number")
    if above is not None and value <= above:
        raise ConfigError(f"{name} is {value!r}; give more than {above:g}")
    if least is not None and value < least:
        raise ConfigError(f"{name} is {value!r}; give at least {least:g}")
