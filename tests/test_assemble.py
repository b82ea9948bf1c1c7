"""Settings -> arms: every key of [cloud] reaches the endpoint."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import cloud_server as play
import pytest
from cli_run import run
from tiny_bundle import write_tiny_bundle

from hybridroute.cli.assemble import DEFAULT_BASE_URL, cloud_of
from hybridroute.cloud import CloudSettings
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.settings_sections import CloudEndpoint, Settings

SAID = {
    "base_url": "http://host.example/v1",
    "model": "m",
    "api_key_env": "K",
    "connect_timeout_s": 1.5,
    "chunk_timeout_s": 2.5,
    "total_timeout_s": 3.5,
    "max_retries": 0,
    "max_retry_wait_s": 0.0,
    "context_tokens": 4096,
    "tools": False,
    "json_mode": False,
    "images": False,
    "price_in_usd_per_million": 1.0,
    "price_out_usd_per_million": 2.0,
    "stream_usage": False,
    "max_tokens_field": "max_completion_tokens",
    "allow_insecure_http": True,
}


def test_every_key_of_the_section_is_passed_on() -> None:
    assert SAID.keys() == {item.name for item in fields(CloudEndpoint)}
    made = cloud_of(Settings(cloud=CloudEndpoint(**SAID)))
    assert {name: getattr(made, name) for name in SAID} == SAID


def test_what_is_not_said_is_left_to_the_endpoints_defaults() -> None:
    made = cloud_of(Settings(cloud=CloudEndpoint(model="m")))
    assert made == CloudSettings(base_url=DEFAULT_BASE_URL, model="m")
    assert cloud_of(Settings()) is None


def test_an_address_without_a_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="HYBRIDROUTE_CLOUD_MODEL"):
        cloud_of(Settings(cloud=CloudEndpoint(base_url="https://host.example/v1")))


def test_a_model_that_takes_another_field_for_its_limit_is_reached_from_a_file(
    tmp_path: Path,
) -> None:
    bundle = write_tiny_bundle(tmp_path / "tiny").path
    with play.CloudServer(play.answer(play.whole("Hello"))) as server:
        (tmp_path / "hybridroute.toml").write_text(
            f'[cloud]\nbase_url = "{server.url}"\nmodel = "m"\napi_key_env = ""\n'
            'max_tokens_field = "max_completion_tokens"\n',
            encoding="utf-8",
        )
        asked = ("ask", "--json", "x", "--max-tokens", "5", "--mode", "only_in_cloud")
        done = run(*asked, "--bundle", str(bundle), cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        sent = server.seen[0].body
    assert sent["max_completion_tokens"] == 5
    assert "max_tokens" not in sent
