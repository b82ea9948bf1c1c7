"""Closing waits for running calls and refuses later ones."""

from __future__ import annotations

import threading

import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.open_calls import OpenCalls


def test_close_waits_for_the_running_call_and_frees_once() -> None:
    calls, order, inside, leave = OpenCalls(), [], threading.Event(), threading.Event()

    def call() -> None:
        with calls.one():
            inside.set()
            leave.wait(20)
            order.append("call")

    caller = threading.Thread(target=call)
    caller.start()
    assert inside.wait(20)
    closer = threading.Thread(target=lambda: calls.close(lambda: order.append("freed")))
    closer.start()
    closer.join(0.05)
    assert order == []
    leave.set()
    closer.join(20)
    caller.join(20)
    calls.close(lambda: order.append("freed again"))
    assert order == ["call", "freed"]
    with pytest.raises(ConfigError, match="closed"), calls.one():
        pass


def test_a_call_that_raises_is_counted_out() -> None:
    calls = OpenCalls()
    with pytest.raises(ZeroDivisionError), calls.one():
        raise ZeroDivisionError
    freed = []
    calls.close(lambda: freed.append(True))
    assert freed == [True]
