"""Loopback: one answer for the cloud's address, a model's URL and the server's host."""

from __future__ import annotations

import pytest

from hybridroute.cloud.settings import CloudSettings
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.loopback import is_loopback
from hybridroute.model_source import ModelUrl
from hybridroute.server.options import ServerOptions


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]
)
def test_this_machine(host: str) -> None:
    assert is_loopback(host)
    ServerOptions(host=host)
    place = f"[{host}]" if host == "::1" else host
    assert CloudSettings(base_url=f"http://{place}/v1", model="m").is_loopback
    assert ModelUrl(f"http://{place}/a.gguf").is_loopback


@pytest.mark.parametrize(
    "host",
    [
        *("app.localhost", "localhost.example.com", "notlocalhost", "0.0.0.0", "10.0.0.1", "[::]"),
        *("2130706433", "127.1"),
    ],
)
def test_not_surely_this_machine(host: str) -> None:
    assert not is_loopback(host)
    with pytest.raises(ConfigError, match="no key"):
        ServerOptions(host=host)
    with pytest.raises(ConfigError, match="unencrypted"):
        CloudSettings(base_url=f"http://{host}/v1", model="m", api_key_env="")
    with pytest.raises(ConfigError, match="not https"):
        ModelUrl(f"http://{host}/a.gguf")


def test_an_empty_host_is_none() -> None:
    assert not is_loopback("")
