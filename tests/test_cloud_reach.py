"""One look at an endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from cloud_server import Behaviour, CloudServer, answer, raw

from hybridroute.cloud import CloudArm, CloudSettings

KEY = "sk-planted-key-5f2c"


def settings(base_url: str = "http://127.0.0.1:9/v1", **more: Any) -> CloudSettings:
    limits = {"connect_timeout_s": 2.0, "chunk_timeout_s": 5.0, "total_timeout_s": 10.0}
    return CloudSettings(base_url=base_url, model="big", **({"api_key": KEY} | limits | more))


@pytest.mark.parametrize(
    ("behaviour", "ok", "status", "words"),
    [
        (answer({"data": [{"id": "big"}]}), True, 200, "answers"),
        (answer({"data": [{"id": "other"}]}), True, 200, "'big' is not among its 1 models"),
        (answer({}), True, 200, "lists no models"),
        (answer({}, 404), True, 404, "no list of models"),
        (answer({"error": {"message": f"bad {KEY}"}}, 401), False, 401, "check the key"),
        (answer({}, 503), False, 503, "answered 503"),
        (raw(b"not http at all\r\n\r\n"), False, None, "cannot reach"),
    ],
)
def test_reachable(behaviour: Behaviour, ok: bool, status: int | None, words: str) -> None:
    with CloudServer(behaviour) as server:
        arm = CloudArm(settings(server.url))
        seen = arm.reachable()
        arm.close()
    assert (seen.ok, seen.status) == (ok, status)
    assert words in seen.advice
    assert KEY not in repr(seen)
    assert len(server.seen) == 1
    assert (server.seen[0].method, server.seen[0].path) == ("GET", "/v1/models")


def test_reachable_names_its_own_limit_and_a_missing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with CloudServer(raw(b"", wait=True)) as server:
        arm = CloudArm(settings(server.url))
        assert "0.2 s" in arm.reachable(timeout_s=0.2).advice
        arm.close()
    monkeypatch.delenv("TEST_ROUTE_KEY", raising=False)
    arm = CloudArm(settings(server.url, api_key=None, api_key_env="TEST_ROUTE_KEY"))
    seen = arm.reachable()
    assert not seen.ok
    assert "TEST_ROUTE_KEY" in seen.advice
