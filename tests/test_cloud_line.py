"""Connections, proxies and passwords from the environment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_server import Behaviour, CloudServer, answer, call_threads, piece, stream, whole

from hybridroute.cloud import CloudArm, CloudSettings
from hybridroute.edge_runtime.chat import ChatRequest

KEY = "sk-planted-key-5f2c"


def settings(base_url: str = "http://127.0.0.1:9/v1", **more: Any) -> CloudSettings:
    limits = {"connect_timeout_s": 2.0, "chunk_timeout_s": 5.0, "total_timeout_s": 10.0}
    return CloudSettings(base_url=base_url, model="big", **({"api_key": KEY} | limits | more))


def request(text: str = "hi", **more: Any) -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": text},), **more)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert call_threads() == []


def ask(behaviour: Behaviour, *, chat: ChatRequest | None = None, **more: Any) -> Any:
    with CloudServer(behaviour) as server:
        arm = CloudArm(settings(server.url, **more))
        try:
            return arm.complete(chat or request()), server.seen[0]
        finally:
            arm.close()


def test_connections_are_kept_alive_through_answers_and_streams() -> None:
    script = (answer(whole()), stream(piece("a", finish="stop")), answer(whole()))
    with CloudServer(*script) as server:
        arm = CloudArm(settings(server.url))
        arm.complete(request())
        list(arm.stream(request()))
        arm.complete(request())
        arm.close()
    assert [seen.connection for seen in server.seen] == [1, 1, 1]


def test_a_connection_the_server_closed_is_replaced_without_a_retry() -> None:
    def once(visit: Any) -> bool:
        answer(whole())(visit)
        return False

    with CloudServer(once) as server:
        arm = CloudArm(settings(server.url, max_retries=0))
        arm.complete(request())
        assert server.gone.acquire(timeout=5)
        arm.complete(request())
        arm.close()
    assert server.connections == 2


def test_two_threads_at_once_get_connections_of_their_own() -> None:
    meet = threading.Barrier(2, timeout=10)

    def together(visit: Any) -> bool:
        meet.wait()
        return answer(whole(visit.seen.body["messages"][0]["content"]))(visit)

    got: dict[str, str | None] = {}
    with CloudServer(together) as server:
        arm = CloudArm(settings(server.url))

        def ask_for(text: str) -> None:
            got[text] = arm.complete(request(text)).choices[0].message.content

        threads = [threading.Thread(target=ask_for, args=(text,)) for text in ("a", "b")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        arm.close()
    assert got == {"a": "a", "b": "b"}
    assert server.connections == 2


@pytest.mark.parametrize("has_key", [True, False])
def test_netrc_never_signs_in(
    has_key: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password other-secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    more = {} if has_key else {"api_key": None, "api_key_env": ""}
    _, seen = ask(answer(whole()), **more)
    assert seen.headers.get("authorization") == (f"Bearer {KEY}" if has_key else None)


def test_loopback_goes_past_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    completion, _ = ask(answer(whole("direct")), max_retries=0)
    assert completion.choices[0].message.content == "direct"


def test_other_hosts_go_through_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with CloudServer(answer(whole("by proxy"))) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        arm = CloudArm(settings("http://cloud.invalid/v1", allow_insecure_http=True))
        completion = arm.complete(request())
        arm.close()
    assert completion.choices[0].message.content == "by proxy"
    assert proxy.seen[0].path == "http://cloud.invalid/v1/chat/completions"


def test_user_headers_replace_ours_whatever_their_case() -> None:
    _, seen = ask(answer(whole()), headers={"user-agent": "my-app"})
    assert seen.headers["user-agent"] == "my-app"
