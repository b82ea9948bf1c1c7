"""Connections that fail, stall, end early or never end."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import Any

import pytest
from cloud_cases import (
    BOTH,
    KEY,
    fault,
    in_thread,
    nothing_is_left_and_nothing_told,  # noqa: F401 - autouse
    request,
    settings,
    until,
)
from cloud_server import (
    PLAIN_STREAM_HEAD,
    STREAM_HEAD,
    Behaviour,
    CloudServer,
    answer,
    endless,
    hang,
    hang_up,
    head,
    raw,
    trickle,
    whole,
)

from hybridroute.cloud import CloudArm
from hybridroute.edge_runtime.errors import ArmError, ArmRefused, ArmTimeout, ArmUnavailable


@BOTH
def test_refused_connection(streams: bool) -> None:
    server = CloudServer(hang)
    with server:
        pass
    error = fault(server, streams=streams, kind=ArmUnavailable)
    assert "Connection refused" in str(error)


def test_unknown_host() -> None:
    arm = CloudArm(settings("https://no-such-host.invalid/v1"))
    with pytest.raises(ArmUnavailable, match=r"no-such-host\.invalid"):
        arm.complete(request())
    arm.close()


def test_a_server_without_tls() -> None:
    with CloudServer(hang, greeting=b"220 this is no TLS server\r\n") as server:
        arm = CloudArm(settings(f"https://127.0.0.1:{server.port}/v1"))
        with pytest.raises(ArmUnavailable, match="TLS"):
            arm.complete(request())
        arm.close()


def test_a_handshake_that_never_ends() -> None:
    # The system accepts the connection; nobody ever reads it.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        arm = CloudArm(settings(f"https://127.0.0.1:{port}/v1", connect_timeout_s=0.2))
        with pytest.raises(ArmTimeout, match=r"connect_timeout_s=0\.2"):
            arm.complete(request())
        arm.close()


def test_a_handshake_cut_short_is_tried_again() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        port = listener.getsockname()[1]
        url = f"https://127.0.0.1:{port}/v1"
        arm = CloudArm(settings(url, max_retries=1, max_retry_wait_s=0.01), seed=1)
        thread, results = in_thread(lambda: arm.complete(request()))
        for _ in range(2):
            listener.accept()[0].close()
        thread.join(5)
        arm.close()
    assert isinstance(results[0], ArmUnavailable)


def test_connect_timeout_names_its_limit() -> None:
    # A listener whose queue is full answers no further connection.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        arm = CloudArm(settings(f"http://127.0.0.1:{port}/v1", connect_timeout_s=0.2))
        with pytest.raises(ArmTimeout, match=r"connect_timeout_s=0\.2"):
            arm.complete(request())
        arm.close()
        for filler in fillers:
            filler.close()


TRICKLES = {
    "no byte": hang,
    "status line": trickle(b"HTTP/1.1 200 OK and so on"),
    "headers": trickle(b"HTTP/1.1 200 OK\r\nX-Slow: aaaa"),
    "body": raw(head(content_length="50") + b'{"id":', wait=True),
    "body, byte by byte": trickle(head(content_length="5000") + b"{", pause_s=0.02),
}


@pytest.mark.parametrize("behaviour", TRICKLES.values(), ids=list(TRICKLES))
def test_the_deadline_ends_every_wait(behaviour: Behaviour) -> None:
    with CloudServer(behaviour) as server:
        error = fault(server, kind=ArmTimeout, total_timeout_s=0.3, chunk_timeout_s=0.2)
        assert server.gone.acquire(timeout=5)
    assert "total_timeout_s=0.3" in str(error)


@BOTH
def test_a_request_s_own_limit_counts_in_place_of_the_settings(streams: bool) -> None:
    with CloudServer(hang) as server:
        arm = CloudArm(settings(server.url))
        asked = replace(request(), timeout_s=0.2)
        with pytest.raises(ArmTimeout, match=r"within timeout=0\.2"):
            list(arm.stream(asked)) if streams else arm.complete(asked)
        arm.close()


@BOTH
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(streams: bool, status: int) -> None:
    with CloudServer(answer(whole())) as other:
        target = f"{other.url}/chat/completions?token={KEY}"
        with CloudServer(answer({}, status, location=target)) as server:
            error = fault(server, streams=streams, kind=ArmRefused)
    assert other.connections == 0
    assert "redirects are not followed" in str(error)


def test_a_proxy_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    with CloudServer(trickle(b"HTTP/1.1 200 OK\r\nX-Slow: aaaa")) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        arm = CloudArm(settings("https://cloud.invalid/v1", total_timeout_s=0.4))
        with pytest.raises(ArmTimeout, match="total_timeout_s"):
            arm.complete(request())
        arm.close()
        assert proxy.seen[0].method == "CONNECT"
        assert KEY not in str(proxy.seen)


@BOTH
def test_closing_the_arm_ends_running_requests(streams: bool) -> None:
    start = STREAM_HEAD if streams else b""
    with CloudServer(raw(start, wait=True)) as server:
        arm = CloudArm(settings(server.url))
        work = (lambda: list(arm.stream(request()))) if streams else lambda: arm.complete(request())
        thread, results = in_thread(work)
        until(lambda: len(server.seen) == 1)
        arm.close()
        thread.join(5)
    assert isinstance(results[0], ArmUnavailable)
    assert "the arm was closed" in str(results[0])


def test_closing_the_arm_ends_a_wait_between_tries() -> None:
    with CloudServer(answer({}, 429, retry_after="8")) as server:
        arm = CloudArm(settings(server.url, max_retries=1))
        thread, results = in_thread(lambda: arm.complete(request()))
        until(lambda: len(server.seen) == 1)
        threading.Event().wait(0.05)
        arm.close()
        thread.join(5)
    assert "the arm was closed" in str(results[0])


def test_the_arm_works_on_after_abandoned_streams_and_faults() -> None:
    script = (endless, answer({}, 500), hang, answer(whole("fine")))
    with CloudServer(*script) as server:
        arm = CloudArm(settings(server.url, total_timeout_s=0.5))
        for chunk in arm.stream(request()):
            assert chunk.choices
            break
        for kind in (ArmUnavailable, ArmTimeout):
            with pytest.raises(kind):
                arm.complete(request())
        assert arm.complete(request()).choices[0].message.content == "fine"
        arm.close()


def test_a_connection_hung_up_before_any_byte_is_tried_again() -> None:
    with CloudServer(hang_up, answer(whole("ok"))) as server:
        arm = CloudArm(settings(server.url, max_retries=1, max_retry_wait_s=0.01), seed=1)
        assert arm.complete(request()).choices[0].message.content == "ok"
        arm.close()


def test_a_kept_connection_found_dead_costs_no_try() -> None:
    # A server may close an idle connection just as the next request is on its way.
    with CloudServer(answer(whole()), hang_up, answer(whole("ok"))) as server:
        arm = CloudArm(settings(server.url, max_retries=0))
        arm.complete(request())
        assert arm.complete(request()).choices[0].message.content == "ok"
        arm.close()
    assert [seen.connection for seen in server.seen] == [1, 1, 2]


def test_a_new_connection_hung_up_is_not_tried_again_for_free() -> None:
    with CloudServer(answer(whole()), hang_up) as server:
        arm = CloudArm(settings(server.url, max_retries=0))
        arm.complete(request())
        with pytest.raises(ArmUnavailable):
            arm.complete(request())
        arm.close()
    assert len(server.seen) == 3


@BOTH
def test_an_endless_body(streams: bool) -> None:
    def flood(visit: Any) -> bool:
        visit.send(PLAIN_STREAM_HEAD)
        while not visit.stopping.is_set():
            visit.send(b" " * 65536)
        return False

    with CloudServer(flood) as server:
        error = fault(server, streams=streams, kind=ArmError, max_response_bytes=200_000)
    assert "max_response_bytes=200000" in str(error)


def test_an_endless_error_body() -> None:
    def flood(visit: Any) -> bool:
        visit.send(head(400))
        while not visit.stopping.is_set():
            visit.send(b" " * 65536)
        return False

    with CloudServer(flood) as server:
        assert fault(server, kind=ArmRefused).status == 400


def test_a_body_cut_short() -> None:
    with CloudServer(raw(head(content_length="500") + b'{"id": 1')) as server:
        error = fault(server, kind=ArmUnavailable)
    assert type(error) is ArmUnavailable
