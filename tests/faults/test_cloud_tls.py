"""The cloud arm over real TLS: the socket of a TLS connection is cut like any other."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud_server import (
    STREAM_HEAD,
    CloudServer,
    answer,
    call_threads,
    chunked,
    endless,
    events,
    piece,
    raw,
    stream,
    trickle,
    whole,
)

from hybridroute.cloud import CloudArm, CloudSettings
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ArmTimeout, ArmUnavailable

REQUEST = ChatRequest(messages=({"role": "user", "content": "hi"},))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with cert.pem and key.pem for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl command to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1"]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.fixture
def tls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(folder / "cert.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    yield context
    assert call_threads() == []


def arm_for(server: CloudServer, **more: float) -> CloudArm:
    limits = {"chunk_timeout_s": 5.0, "total_timeout_s": 10.0} | more
    return CloudArm(
        CloudSettings(base_url=server.url, model="big", api_key="sk-tls-key-1", **limits)
    )


def test_answers_and_streams_share_one_connection(tls: ssl.SSLContext) -> None:
    script = (answer(whole("a")), stream(piece("b", finish="stop")), answer(whole("c")))
    with CloudServer(*script, tls=tls) as server:
        arm = arm_for(server)
        assert arm.complete(REQUEST).choices[0].message.content == "a"
        assert [c.choices[0].delta.content for c in arm.stream(REQUEST)] == ["b"]
        assert arm.complete(REQUEST).choices[0].message.content == "c"
        arm.close()
    assert server.connections == 1


def test_an_unknown_certificate_is_refused_at_once(
    tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with CloudServer(answer(whole()), tls=tls) as server:
        arm = arm_for(server)
        with pytest.raises(ArmUnavailable, match="no trusted TLS connection"):
            arm.complete(REQUEST)
        arm.close()
    assert server.connections == 1
    assert server.seen == []


def test_the_deadline_ends_trickling_headers(tls: ssl.SSLContext) -> None:
    with CloudServer(trickle(b"HTTP/1.1 200 OK\r\nX-Slow: aaaa"), tls=tls) as server:
        arm = arm_for(server, total_timeout_s=0.4)
        with pytest.raises(ArmTimeout, match=r"total_timeout_s=0\.4"):
            arm.complete(REQUEST)
        assert server.gone.acquire(timeout=5)
        arm.close()


def test_closing_a_stream_wakes_its_reader(tls: ssl.SSLContext) -> None:
    start = STREAM_HEAD + chunked(events(piece("a"), done=False))
    with CloudServer(raw(start, wait=True), tls=tls) as server:
        arm = arm_for(server)
        reader = arm.stream(REQUEST)
        next(reader)
        rest: list[object] = []
        thread = threading.Thread(target=lambda: rest.extend(reader))
        thread.start()
        reader.close()
        thread.join(5)
        assert not thread.is_alive()
        assert rest == []
        arm.close()


def test_dropping_a_stream_closes_its_connection(tls: ssl.SSLContext) -> None:
    with CloudServer(endless, tls=tls) as server:
        arm = arm_for(server)
        reader = arm.stream(REQUEST)
        next(reader)
        del reader
        assert server.gone.acquire(timeout=5)
        arm.close()
