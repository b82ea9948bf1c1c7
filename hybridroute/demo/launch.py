"""The stand-in cloud from the parent's side: start it, wait until it answers, end it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from importlib.resources import files
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Self

from hybridroute.cloud import CloudArm, CloudSettings
from hybridroute.demo.stand_in import MODEL, Orders, choose_server
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ArmUnavailable
from hybridroute.edge_runtime.model_registry import resolve

_GRACE_S = 5.0
_TAIL_BYTES = 600


class StandInCloud:
    """An OpenAI-compatible server in a process of its own, on 127.0.0.1 with a key of its own.

    Parameters
    ----------
    model : str
        A name of the registry, or a GGUF file.
    threads : int
        Its generation threads.
    deadline_s : float
        How long it may take to answer for the first time, in seconds.

    Raises
    ------
    ModelMissing, EngineMissing
        If the model is not on this device, or no server is installed.
    ArmUnavailable
        If the process ends or does not answer in time; the message has the end of its stderr.
    """

    def __init__(self, model: str = MODEL, *, threads: int = 1, deadline_s: float = 60.0) -> None:
        template = (files("hybridroute.demo") / "few_shot.jinja").read_text(encoding="utf-8")
        key = secrets.token_urlsafe(32)
        orders = Orders(
            path=str(resolve(model).path),
            server=choose_server(),
            key=key,
            chat_template=template,
            threads=threads,
        )
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hybridroute.demo.stand_in"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        try:
            address = self._started(orders, time.monotonic() + deadline_s)
        except BaseException:
            self.close()
            raise
        self.settings = CloudSettings(
            base_url=f"{address}/v1",
            model=MODEL,
            api_key=key,
            context_tokens=orders.context_tokens,
            tools=False,
            images=False,
            total_timeout_s=60.0,
        )
        try:
            self._answer_once()
        except BaseException:
            self.close()
            raise

    @property
    def process_id(self) -> int:
        """The server's process."""
        return self._process.pid

    def arm(self) -> CloudArm:
        """A cloud arm that asks this server."""
        return CloudArm(self.settings)

    def close(self) -> None:
        """End the process; safe to call twice."""
        with suppress(OSError):  # what was not sent can no longer be
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        _pipe(self._process.stdout).close()
        self._stderr.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answer_once(self) -> None:
        """Ask for one token: the server has then read its model and its few-shot prompt."""
        hello = ChatRequest(messages=({"role": "user", "content": "Hi"},), max_tokens=1)
        arm = self.arm()
        try:
            arm.complete(hello)
        finally:
            arm.close()

    def _started(self, orders: Orders, deadline: float) -> str:
        """Hand the orders over and wait for the address."""
        lines: SimpleQueue[bytes] = SimpleQueue()
        threading.Thread(
            target=_read_into, args=(_pipe(self._process.stdout), lines), daemon=True
        ).start()
        try:
            _pipe(self._process.stdin).write(orders.to_line().encode("utf-8"))
            _pipe(self._process.stdin).flush()
        except OSError as exc:
            raise self._failed("ended at once") from exc
        while True:
            try:
                line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty as exc:
                raise self._failed("was not ready in time") from exc
            if not line:
                raise self._failed("ended before it was ready")
            if line.startswith(b'{"address"'):
                return str(json.loads(line)["address"])

    def _failed(self, what: str) -> ArmUnavailable:
        self._process.kill()
        code = self._process.wait()
        size = self._stderr.seek(0, 2)
        self._stderr.seek(max(0, size - _TAIL_BYTES))
        tail = self._stderr.read().decode("utf-8", "replace").strip() or "nothing"
        return ArmUnavailable(f"the stand-in cloud {what} (exit {code}); it said: {tail}")


def _pipe(held: IO[bytes] | None) -> IO[bytes]:
    assert held is not None  # noqa: S101 (narrows the type; it was made as a pipe)
    return held


def _read_into(source: IO[bytes], lines: SimpleQueue[bytes]) -> None:
    """Hand each line on, and b"" at the end."""
    try:
        for line in source:
            lines.put(line)
    except ValueError:  # closed by the other thread
        pass
    lines.put(b"")
