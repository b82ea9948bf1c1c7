"""Requests to one endpoint: what is sent, what is tried again, and which connections are kept.

What a server can do wrong stands in tests/faults.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cloud_cases import in_thread, until
from cloud_server import Behaviour, CloudServer, answer, call_threads, hang, raw

from hybridroute.cloud import CloudSettings
from hybridroute.cloud.failures import Failures
from hybridroute.cloud.redact import Redactor
from hybridroute.cloud.retry import Backoff
from hybridroute.cloud.transport import Outgoing, Transport
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    StreamInterrupted,
)
from hybridroute.edge_runtime.stop_signal import StopSignal

KEY = "sk-planted-key-5f2c"
BUSY = answer({"error": {"message": "busy"}}, 503)
POST = Outgoing(body=b'{"n": 1}', key=KEY)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert call_threads() == []


class Sender:
    """A transport that never waits between tries."""

    def __init__(self, base_url: str, *, retries: int = 2, cap_s: float = 0.0, **more: Any) -> None:
        limits = {"connect_timeout_s": 5.0, "chunk_timeout_s": 10.0, "api_key": KEY, **more}
        settings = CloudSettings(base_url=base_url, model="big", **limits)
        self.transport = Transport(settings, "cloud", Backoff(max_retries=retries, cap_s=cap_s))
        self.failures = Failures(
            settings, arm="cloud", redact=Redactor((KEY,)), deadline="total_timeout_s=10"
        )

    def open(self, outgoing: Outgoing = POST, total_s: float = 10.0, **more: Any) -> Any:
        return self.transport.open(outgoing, self.failures, total_s, **more)

    def body(self, outgoing: Outgoing = POST, **more: Any) -> bytes:
        exchange = self.open(outgoing, **more)
        try:
            return b"".join(exchange.pieces())
        finally:
            exchange.release()


@contextmanager
def served(*script: Behaviour, **more: Any) -> Iterator[tuple[Sender, CloudServer]]:
    with CloudServer(*script) as server:
        sender = Sender(server.url, **more)
        try:
            yield sender, server
        finally:
            sender.transport.close()


def test_what_is_sent() -> None:
    with served(answer(b"ok")) as (sender, server):
        assert sender.body() == b"ok"
        sender.body(Outgoing(method="GET", path="/models"))
        sender.body(Outgoing(body=b"{}", streams=True))
    post, get, stream = server.seen
    assert (post.method, post.path, post.body) == ("POST", "/v1/chat/completions", {"n": 1})
    assert post.headers["authorization"] == f"Bearer {KEY}"
    assert post.headers["content-type"] == post.headers["accept"] == "application/json"
    assert post.headers["accept-encoding"] == "identity"
    assert post.headers["user-agent"] == "hybridroute"
    assert (get.method, get.path) == ("GET", "/v1/models")
    assert not {"authorization", "content-type"} & get.headers.keys()
    assert stream.headers["accept"] == "text/event-stream"


def test_a_header_of_the_settings_takes_the_place_of_ours_in_any_case() -> None:
    mine = {"USER-AGENT": "mine", "X-Team": "blue"}
    with served(answer(b"ok"), headers=mine) as (sender, server):
        sender.body()
    assert (server.seen[0].headers["user-agent"], server.seen[0].headers["x-team"]) == (
        "mine",
        "blue",
    )


def test_what_is_sent_shows_neither_body_nor_key() -> None:
    assert KEY not in repr(POST)
    assert "n" not in repr(POST).partition("body")[2]


def test_a_failure_is_tried_again_until_it_goes() -> None:
    with served(BUSY, BUSY, answer(b"ok")) as (sender, server):
        assert sender.body() == b"ok"
    assert [seen.body for seen in server.seen] == [{"n": 1}] * 3


def test_after_the_last_try_its_error_is_raised() -> None:
    with served(BUSY, retries=2) as (sender, server), pytest.raises(ArmUnavailable, match="busy"):
        sender.open()
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("behaviour", "outgoing", "kind"),
    [
        (BUSY, Outgoing(body=b"{}", may_retry=False), ArmUnavailable),
        (answer({}, 400), POST, ArmRefused),
        (answer({}, 503, retry_after="60"), POST, ArmUnavailable),
        (answer({}, 307, location="/v2"), POST, ArmRefused),
    ],
    ids=["not wanted", "refused", "asks for too long a wait", "redirected"],
)
def test_what_is_tried_once(behaviour: Behaviour, outgoing: Outgoing, kind: type[ArmError]) -> None:
    with served(behaviour) as (sender, server), pytest.raises(kind):
        sender.open(outgoing)
    assert len(server.seen) == 1


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    asks = answer({"error": {"message": "busy"}}, 503, retry_after="30")
    asked = pytest.raises(ArmUnavailable, match="it asks to wait 30 s")
    with served(asks, cap_s=60.0) as (sender, server), asked:
        sender.open(total_s=5.0)
    assert len(server.seen) == 1


def test_a_connection_is_used_again_once_its_answer_was_read() -> None:
    with served(answer(b"ok"), BUSY, answer(b"ok")) as (sender, server):
        for _ in range(2):
            assert sender.body() == b"ok"
        assert sender.body() == b"ok"
    assert [seen.connection for seen in server.seen[:2]] == [1, 1]


def test_a_connection_that_the_server_closed_costs_no_try() -> None:
    last = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    with served(last, retries=0) as (sender, server):
        assert sender.body() == b"ok"
        assert server.gone.acquire(timeout=10)
        assert sender.body() == b"ok"
    assert server.connections == 2


def test_calls_at_once_have_lines_of_their_own_and_a_few_are_kept() -> None:
    with served(answer(b"ok")) as (sender, server):
        held = [sender.open() for _ in range(12)]
        assert server.connections == 12
        while held:
            exchange = held.pop()
            assert b"".join(exchange.pieces()) == b"ok"
            exchange.release()
            del exchange
        for _ in range(4):
            assert server.gone.acquire(timeout=10), "eight are kept"
        assert not server.gone.acquire(blocking=False)
        assert sender.body() == b"ok"
    assert server.connections == 12


def test_an_abandoned_answer_takes_its_connection_with_it() -> None:
    with served(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", wait=True)) as pair:
        sender, server = pair
        sender.open().cut("closed")
        sender.open().drop()
        assert server.connections == 2
        assert server.gone.acquire(timeout=10)


def test_warming_up_sends_nothing_and_makes_one_line() -> None:
    with served(answer(b"ok")) as (sender, server):
        sender.transport.warm_up()
        sender.transport.warm_up()
        assert (server.connections, len(sender.transport._idle)) == (0, 1)


def test_a_closed_one_asks_nobody_and_may_be_closed_twice() -> None:
    with served(answer(b"ok")) as (sender, server):
        assert sender.body() == b"ok"
        sender.transport.close()
        sender.transport.close()
        assert server.gone.acquire(timeout=10), "what was idle is closed"
        with pytest.raises(ArmError, match="the arm is closed; make a new one"):
            sender.open()
        sender.transport.warm_up()
        assert len(sender.transport._idle) == 0
    assert len(server.seen) == 1


@pytest.mark.parametrize("by", ["close", "signal", "deadline"])
def test_a_call_that_no_byte_answers_can_be_ended(by: str) -> None:
    stop = StopSignal()
    with served(hang) as (sender, server):
        total_s = 0.2 if by == "deadline" else 10.0
        thread, results = in_thread(lambda: sender.open(total_s=total_s, stop=stop))
        if by != "deadline":
            until(lambda: bool(server.seen))
            end = sender.transport.close if by == "close" else stop.set
            end()
        thread.join(10)
    kinds = {"close": ArmUnavailable, "signal": ArmUnavailable, "deadline": ArmTimeout}
    assert [type(one) for one in results] == [kinds[by]]


def test_a_signal_that_was_set_before_ends_the_call_at_once() -> None:
    stop = StopSignal()
    stop.set()
    with served(answer(b"ok")) as (sender, _), pytest.raises(ArmUnavailable, match="was closed"):
        sender.open(stop=stop)


def test_a_signal_ends_an_answer_that_is_being_read() -> None:
    stop = StopSignal()
    begun = raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", wait=True)
    with served(begun) as (sender, _):
        exchange = sender.open(stop=stop)
        pieces = exchange.pieces()
        assert next(pieces) == b"ok"
        stop.set()
        with pytest.raises(ArmUnavailable, match="the stream was closed"):
            next(pieces)
        exchange.release()


def test_of_a_refusal_only_so_much_is_read() -> None:
    """The status says enough; the body may never end."""

    def endless(visit: Any) -> bool:
        visit.send(b"HTTP/1.1 400 Bad\r\nConnection: close\r\n\r\n")
        while not visit.stopping.is_set():
            visit.send(b"x" * 4096)
        return False

    with served(endless) as (sender, _), pytest.raises(ArmRefused) as caught:
        sender.open()
    assert not isinstance(caught.value, StreamInterrupted)
    assert caught.value.status == 400
