"""What the tests of the cloud arm's faults share."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cloud_server import CloudServer, call_threads

from hybridroute.cloud import CloudArm, CloudSettings
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ArmError

KEY = "sk-planted-key-5f2c"


PROMPT = "a prompt nobody else may read"


BOTH = pytest.mark.parametrize("streams", [False, True], ids=["complete", "stream"])


def settings(base_url: str, **more: Any) -> CloudSettings:
    limits: dict[str, Any] = {
        "api_key": KEY,
        "connect_timeout_s": 2.0,
        "chunk_timeout_s": 5.0,
        "total_timeout_s": 10.0,
        "max_retries": 0,
    }
    return CloudSettings(base_url=base_url, model="big", **(limits | more))


def request() -> ChatRequest:
    return ChatRequest(messages=({"role": "user", "content": PROMPT},))


@pytest.fixture(autouse=True)
def nothing_is_left_and_nothing_told(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert call_threads() == []
    told = [record.getMessage() + str(record.args) for record in caplog.records]
    assert not [text for text in told if KEY in text or PROMPT in text]


def fault(
    server: CloudServer, *, streams: bool = False, kind: type[ArmError], **more: Any
) -> ArmError:
    """The error of one request; its chain of causes holds neither key nor prompt."""
    arm = CloudArm(settings(server.url, **more), seed=1)
    try:
        with pytest.raises(kind) as caught:
            if streams:
                list(arm.stream(request()))
            else:
                arm.complete(request())
    finally:
        arm.close()
    error = caught.value
    chain = "".join(traceback.format_exception(error))
    assert KEY not in chain + repr(error) + repr(arm)
    assert PROMPT not in chain
    assert error.arm == "cloud"
    return error


def in_thread(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Run ``work`` in a thread; the list gets its result or its error."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except ArmError as exc:
            results.append(exc)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("the condition never came true")
