"""What CloudSettings takes and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from hybridroute.cloud import CloudArm, CloudSettings
from hybridroute.edge_runtime.errors import ConfigError

KEY = "sk-planted-key-5f2c"


def settings(base_url: str = "http://127.0.0.1:9/v1", **more: Any) -> CloudSettings:
    limits = {"connect_timeout_s": 2.0, "chunk_timeout_s": 5.0, "total_timeout_s": 10.0}
    return CloudSettings(base_url=base_url, model="big", **({"api_key": KEY} | limits | more))


def test_settings_show_no_secret() -> None:
    held = settings(headers={"api-key": "azure-secret-1"})
    shown = repr(held) + repr(CloudArm(held))
    assert KEY not in shown
    assert "azure-secret-1" not in shown
    assert isinstance(hash(held), int)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"base_url": "http://example.com/v1"}, "unencrypted"),
        ({"base_url": "ftp://example.com"}, "scheme"),
        ({"base_url": "https://"}, "no usable host"),
        ({"base_url": "https://host:99999/v1"}, "not a URL"),
        ({"base_url": f"https://user:{KEY}@host/v1"}, "user name"),
        ({"base_url": f"https://host/v1?key={KEY}"}, "query"),
        ({"model": " "}, "model is empty"),
        ({"api_key": ""}, "api_key is empty"),
        ({"api_key": f"{KEY}\r\nX: y"}, "api_key is empty or not plain"),
        ({"api_key_env": KEY}, "not a variable's name"),
        ({"headers": {"X-A": f"{KEY}\n"}}, "the header X-A"),
        ({"headers": {"X A": "b"}}, "a name that HTTP does not allow"),
        ({"connect_timeout_s": 0}, "connect_timeout_s is 0"),
        ({"total_timeout_s": float("nan")}, "total_timeout_s is nan"),
        ({"chunk_timeout_s": "1"}, "chunk_timeout_s is '1'"),
        ({"max_retries": -1}, "max_retries is -1"),
        ({"context_tokens": 0}, "context_tokens is 0"),
        ({"max_response_bytes": 0}, "max_response_bytes is 0"),
        ({"price_in_usd_per_million": -0.5}, "price_in_usd_per_million is -0.5"),
        ({"max_tokens_field": "tokens"}, "max_tokens_field is 'tokens'"),
    ],
)
def test_wrong_settings_are_named_without_secrets(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CloudSettings(**({"base_url": "https://host/v1", "model": "big"} | more))
    assert words in str(caught.value)
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "base_url", ["http://localhost:8080/v1", "http://[::1]:1/v1", "http://127.9.9.9", "https://h"]
)
def test_hosts_that_are_allowed(base_url: str) -> None:
    assert settings(base_url).base_url == base_url


def test_a_key_is_sent_to_no_host_that_it_was_not_named_for() -> None:
    with pytest.raises(ConfigError, match="no key is named for other.example"):
        CloudSettings(base_url="https://other.example/v1", model="big")


@pytest.mark.parametrize("base_url", ["https://api.openai.com/v1", "http://127.0.0.1:8080/v1"])
def test_the_usual_variable_is_for_openai_and_this_machine(base_url: str) -> None:
    assert CloudSettings(base_url=base_url, model="big").key_variable == "OPENAI_API_KEY"


@pytest.mark.parametrize(
    ("named", "variable"),
    [({"api_key_env": "MY_KEY"}, "MY_KEY"), ({"api_key_env": ""}, ""), ({"api_key": KEY}, "")],
)
def test_any_host_takes_a_key_that_was_named(named: dict[str, str], variable: str) -> None:
    settings = CloudSettings(base_url="https://other.example/v1", model="big", **named)
    assert settings.key_variable == variable
