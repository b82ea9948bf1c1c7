"""One request's deadline, and the switch that ends it: over a real pair of sockets."""

from __future__ import annotations

import gc
import socket
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cloud_server import call_threads

from hybridroute.cloud.call import Call


class SocketLine:
    """A line that is one end of a pair; what a call asks of a line is only to be cut."""

    def __init__(self, mine: socket.socket) -> None:
        self.mine = mine
        self.cuts = 0

    def cut(self) -> None:
        self.cuts += 1
        self.mine.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert call_threads() == []


@contextmanager
def called(total_s: float = 30.0) -> Iterator[tuple[Any, SocketLine]]:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        mine.settimeout(10)
        line = SocketLine(mine)
        call = Call(line, total_s)  # type: ignore[arg-type]
        try:
            yield call, line
        finally:
            call.finish()


def test_a_call_that_finishes_in_time_cuts_nothing() -> None:
    with called() as (call, line):
        assert 29.0 < call.remaining_s <= 30.0
        call.finish()
        call.finish()
        call.cut("closed")
        assert (call.cause, line.cuts) == (None, 0)


@pytest.mark.parametrize("cause", ["closed", "arm closed"])
def test_a_cut_wakes_a_blocked_reader_and_the_first_cause_stays(cause: Any) -> None:
    with called() as (call, line):
        reading, read = threading.Event(), []

        def receive() -> None:
            reading.set()
            read.append(line.mine.recv(1))

        thread = threading.Thread(target=receive)
        thread.start()
        assert reading.wait(10)
        call.cut(cause)
        thread.join(10)
        assert read == [b""]
        call.cut("closed" if cause != "closed" else "arm closed")
        assert (call.cause, line.cuts) == (cause, 1)


def test_the_deadline_is_a_cause_of_its_own() -> None:
    with called(0.02) as (call, line):
        assert line.mine.recv(1) == b""
        call.finish()
        assert (call.cause, line.cuts, call.remaining_s) == ("deadline", 1, 0.0)


def test_a_deadline_that_is_past_already_ends_the_call_at_once() -> None:
    with called(-5.0) as (call, line):
        assert call.remaining_s == 0.0
        assert line.mine.recv(1) == b""
        call.finish()
        assert call.cause == "deadline"


def test_a_wait_ends_when_the_call_does() -> None:
    with called() as (call, _):
        waiter = threading.Thread(target=call.sleep, args=(30.0,))
        waiter.start()
        call.cut("closed")
        waiter.join(10)
        assert not waiter.is_alive()


def test_a_call_that_is_forgotten_ends_its_thread() -> None:
    with called() as (call, line):
        call.forget()
        call.finish()
        assert (call.cause, line.cuts) == (None, 0)


def test_the_thread_that_cuts_may_itself_say_goodbye() -> None:
    """A finalizer may run in it; it must not wait for itself."""
    with called() as (call, line):
        ended: list[str] = []
        plain = line.cut

        def cut() -> None:
            call.finish()
            ended.append("finished")
            plain()

        line.cut = cut  # type: ignore[method-assign]
        call.cut("closed")
        assert ended == ["finished"]


def test_a_finished_call_is_free_to_go() -> None:
    with called() as (call, _):
        call.finish()
        seen = weakref.ref(call._thread)
    del call
    gc.collect()
    assert seen() is None
