"""One answer being read: its limits, its ends, and that its line is given back once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from cloud_cases import in_thread
from cloud_server import Behaviour, CloudServer, answer, call_threads, chunked, head, raw

from hybridroute.cloud import CloudSettings
from hybridroute.cloud.call import Call
from hybridroute.cloud.exchange import Exchange
from hybridroute.cloud.failures import Failures
from hybridroute.cloud.line import KeyAuth, Line
from hybridroute.cloud.redact import Redactor
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmTimeout,
    ArmUnavailable,
    StreamInterrupted,
)

CHUNKS = head(transfer_encoding="chunked")
END = b"0\r\n\r\n"


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert call_threads() == []


@contextmanager
def reading(
    behaviour: Behaviour, *, max_bytes: int = 1000, total_s: float = 10.0, silence_s: float = 10.0
) -> Iterator[tuple[Exchange, list[Call]]]:
    """An exchange whose headers have come, and the calls that were given back."""
    given_back: list[Call] = []
    line = Line()
    with CloudServer(behaviour) as server:
        settings = CloudSettings(base_url=server.url, model="big", api_key_env="")
        failures = Failures(settings, arm="cloud", redact=Redactor(()), deadline="limit=10")
        call = Call(line, total_s)
        request = requests.Request("GET", server.url, auth=KeyAuth(None))
        response = line.send(request, connect_timeout_s=5.0, read_timeout_s=silence_s)
        exchange = Exchange(
            call, response, failures, max_bytes=max_bytes, give_back=given_back.append
        )
        try:
            yield exchange, given_back
        finally:
            exchange.release()
            line.close()


def step_by_step(*pieces: bytes) -> tuple[Behaviour, list[threading.Event]]:
    """HTTP chunks, each sent when its event is set."""
    gates = [threading.Event() for _ in pieces]

    def behave(visit: Any) -> bool:
        visit.send(CHUNKS)
        for piece, gate in zip(pieces, gates, strict=True):
            assert gate.wait(10)
            visit.send(chunked(piece))
        visit.send(END)
        return False

    return behave, gates


def test_bytes_are_handed_over_as_they_arrive() -> None:
    behave, gates = step_by_step(b"one", b"two")
    with reading(behave) as (exchange, _):
        pieces = exchange.pieces()
        for gate, wanted in zip(gates, (b"one", b"two"), strict=True):
            gate.set()
            assert next(pieces) == wanted
        assert list(pieces) == []


@pytest.mark.parametrize("body", [b"", b"x" * 1000])
def test_a_body_up_to_the_limit_is_read_whole(body: bytes) -> None:
    with reading(answer(body), max_bytes=1000) as (exchange, _):
        assert b"".join(exchange.pieces()) == body


def test_a_longer_one_is_no_answer() -> None:
    with reading(answer(b"x" * 1001), max_bytes=1000) as (exchange, _):
        with pytest.raises(ArmError, match="longer than max_response_bytes=1000") as caught:
            list(exchange.pieces())
        assert type(caught.value) is ArmError


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 9\r\n\r\nok",
        b"Transfer-Encoding: chunked\r\n\r\n5\r\nok",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["length", "chunk", "nonsense"],
)
def test_a_connection_that_breaks_interrupts(rest: bytes) -> None:
    broke = pytest.raises(StreamInterrupted, match="broke in the middle of the answer")
    with reading(raw(b"HTTP/1.1 200 OK\r\n" + rest)) as (exchange, _), broke:
        list(exchange.pieces())


def test_silence_is_told_from_a_break() -> None:
    with reading(raw(CHUNKS + chunked(b"ok"), wait=True), silence_s=0.05) as (exchange, _):
        pieces = exchange.pieces()
        assert next(pieces) == b"ok"
        with pytest.raises(ArmTimeout, match="sent nothing for chunk_timeout_s"):
            next(pieces)


def test_the_deadline_wakes_a_reader() -> None:
    with reading(raw(CHUNKS, wait=True), total_s=0.1) as (exchange, _):
        with pytest.raises(ArmTimeout, match="did not finish within limit=10"):
            list(exchange.pieces())
        with pytest.raises(ArmTimeout):
            exchange.check()


@pytest.mark.parametrize(("cause", "said"), [("closed", "the stream"), ("arm closed", "the arm")])
def test_a_cut_wakes_a_reader_in_another_thread(cause: Any, said: str) -> None:
    begun = threading.Event()
    with reading(raw(CHUNKS + chunked(b"ok"), wait=True)) as (exchange, given_back):
        exchange.check()

        def read() -> None:
            for _ in exchange.pieces():
                begun.set()

        thread, results = in_thread(read)
        assert begun.wait(10)
        exchange.cut(cause)
        thread.join(10)
        assert [type(one) for one in results] == [ArmUnavailable]
        assert said in str(results[0])
        assert given_back == [], "the reader releases it"


def test_what_was_cut_after_its_last_byte_is_cut_all_the_same() -> None:
    with reading(answer(b"ok")) as (exchange, _):
        pieces = exchange.pieces()
        assert next(pieces) == b"ok"
        exchange.cut("closed")
        with pytest.raises(ArmUnavailable):
            next(pieces)


def test_releasing_gives_the_line_back_once_and_ends_the_deadline() -> None:
    with reading(answer(b"ok")) as (exchange, given_back):
        list(exchange.pieces())
        exchange.release()
        exchange.release()
        exchange.drop()
        (call,) = given_back
        assert (call.cause, call.line.is_cut) == (None, False)
        exchange.cut("closed")
        assert call.cause is None, "it has ended"


def test_dropping_gives_the_line_back_cut() -> None:
    with reading(raw(CHUNKS, wait=True)) as (exchange, given_back):
        exchange.drop()
        exchange.drop()
        exchange.release()
        (call,) = given_back
        assert call.line.is_cut


def test_the_end_of_a_complete_answer_is_read_so_that_the_line_can_be_kept() -> None:
    with reading(raw(CHUNKS + chunked(b"[DONE]") + END, wait=True)) as (exchange, _):
        assert next(exchange.pieces()) == b"[DONE]"
        exchange.drain()
        assert exchange.response.raw.closed or exchange.response.raw.read1(1) == b""


def test_a_server_that_goes_on_is_not_followed() -> None:
    """Neither for its bytes nor for its silence, and none of it is an error."""

    def endless(visit: Any) -> bool:
        visit.send(CHUNKS)
        while not visit.stopping.is_set():
            visit.send(chunked(b"more"))
        return False

    with reading(endless, max_bytes=10**9) as (exchange, _):
        exchange.drain()
    with reading(raw(CHUNKS + chunked(b"x"), wait=True)) as (exchange, _):
        assert next(exchange.pieces()) == b"x"
        exchange.drain(0.01)
    with reading(answer(b"x" * 2000), max_bytes=10) as (exchange, _):
        exchange.drain()
