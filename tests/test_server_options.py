"""Where the server listens and who may ask it: what is refused before it starts."""

from __future__ import annotations

from typing import Any

import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.server.options import ServerOptions

KEY = "a-key-of-sixteen-characters"


def test_by_default_it_is_for_this_machine_alone() -> None:
    held = ServerOptions()
    assert (held.host, held.key, held.cors_origins) == ("127.0.0.1", None, ())


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.9.9.9"])
def test_on_loopback_no_key_is_needed(host: str) -> None:
    assert ServerOptions(host=host).key is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "box.example", "app.localhost"])
def test_elsewhere_one_is(host: str) -> None:
    with pytest.raises(ConfigError, match="there is no key; name the environment variable"):
        ServerOptions(host=host)
    assert ServerOptions(host=host, key=KEY).host == host


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(ServerOptions(key=KEY))


@pytest.mark.parametrize("key", ["", "short", "x" * 15, "x" * 16 + " ", "x" * 16 + "\n", "ü" * 16])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigError, match="the server's key is not usable") as caught:
        ServerOptions(key=key)
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"host": ""}, "host is empty"),
        ({"host": " "}, "host is empty"),
        ({"port": -1}, "port is -1; it must be from 0 to 65535"),
        ({"port": 65536}, "port is 65536"),
        ({"max_body_bytes": 0}, "max_body_bytes is 0; it must be at least 1"),
        ({"max_answer_tokens": 0}, "max_answer_tokens is 0"),
        ({"max_requests": 0}, "max_requests is 0"),
        ({"body_timeout_s": -0.1}, r"body_timeout_s is -0\.1; it must be at least 0"),
        ({"drain_s": float("nan")}, "drain_s is nan"),
        ({"cors_origins": ("example.org",)}, "cors_origin is 'example.org'; give a web origin"),
        ({"cors_origins": ("https://a.example", "*")}, "cors_origin is '\\*'"),
        ({"cors_origins": ("https://a.example/",)}, "cors_origin is"),
        ({"cors_origins": ("ftp://a.example",)}, "cors_origin is"),
    ],
)
def test_a_value_out_of_range_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ServerOptions(**given)


def test_the_ends_of_the_ranges_are_taken() -> None:
    held = ServerOptions(port=65535, max_body_bytes=1, max_requests=1, body_timeout_s=0, drain_s=0)
    assert held.port == 65535
    assert ServerOptions(cors_origins=("http://a.example:8080",)).cors_origins
