"""Where the server listens, who may ask it, and how much it takes at once."""

from __future__ import annotations

from dataclasses import dataclass, field

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.loopback import is_loopback

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8642
_SHORTEST_KEY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the server is run.

    Parameters
    ----------
    host : str
        An address or name to listen on. Any but a loopback one needs a key.
    port : int
        0 takes a free one.
    key : str or None
        The bearer key that callers must send; None lets everybody on this machine in.
    cors_origins : tuple of str
        Web origins whose scripts may call the API; none by default.
    max_body_bytes : int
        The longest request body.
    max_answer_tokens : int
        The largest ``max_tokens`` a request may ask for, over all its ``n`` answers.
    max_requests : int
        Chat requests under way at the same time; further ones are refused with 429.
    body_timeout_s : float
        How long a body may take to arrive.
    drain_s : float
        On SIGTERM, how long answers under way may take to end.

    Raises
    ------
    ConfigError
        If a value is out of range, or the host is not a loopback one and there is no key.
    """

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    key: str | None = field(default=None, repr=False)
    cors_origins: tuple[str, ...] = ()
    max_body_bytes: int = 4 * 1024 * 1024
    max_answer_tokens: int = 8192
    max_requests: int = 256
    body_timeout_s: float = 30.0
    drain_s: float = 30.0

    def __post_init__(self) -> None:
        if not isinstance(self.host, str) or not self.host.strip():
            raise ConfigError("host is empty; give an address such as 127.0.0.1")
        _check("port", self.port, low=0, high=65535)
        for name in ("max_body_bytes", "max_answer_tokens", "max_requests"):
            _check(name, getattr(self, name), low=1)
        for name in ("body_timeout_s", "drain_s"):
            _check(name, getattr(self, name), low=0)
        _check_key(self.key)
        if self.key is None and not is_loopback(self.host):
            raise ConfigError(
                f"host is {self.host!r}, which other machines can reach, and there is no key; name "
                "the environment variable that holds one with --key-env, or listen on 127.0.0.1"
            )
        for origin in self.cors_origins:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                raise ConfigError(
                    f"cors_origin is {origin!r}; give a web origin such as https://example.org"
                )


def _check(name: str, value: float, *, low: int, high: int | None = None) -> None:
    if not value >= low or (high is not None and value > high):
        limits = f"at least {low}" if high is None else f"from {low} to {high}"
        raise ConfigError(f"{name} is {value!r}; it must be {limits}")


def _check_key(key: str | None) -> None:
    if key is None:
        return
    if len(key) < _SHORTEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            f"the server's key is not usable: it needs at least {_SHORTEST_KEY} printable ASCII "
            "characters and no space. One is made by: python -c 'import secrets; "
            "print(secrets.token_urlsafe(32))'"
        )
