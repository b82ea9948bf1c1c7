"""A real HTTP server on loopback whose every answer is scripted, down to the bytes."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One request as the server read it; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    connection: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What a behaviour works with."""

    socket: socket.socket
    seen: Seen
    stopping: threading.Event

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def until_gone(self) -> None:
        """Wait until the client closes or the server stops."""
        self.socket.settimeout(0.05)
        while not self.stopping.is_set():
            try:
                if not self.socket.recv(1):
                    return
            except TimeoutError:
                continue


Behaviour = Callable[[Visit], bool]
"""Answers one request; True keeps the connection open for another."""


class CloudServer:
    """Plays one behaviour for each request, the last one for all that follow.

    ``greeting`` is sent at once to whoever connects, and nothing after it; ``tls`` makes it an
    HTTPS server. ``port`` is for one that comes back where another was; 0 takes a free one.
    """

    def __init__(
        self,
        *script: Behaviour,
        greeting: bytes = b"",
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        self._tls = tls
        self._script = list(script)
        self._greeting = greeting
        self._lock = threading.Lock()
        self.stopping = threading.Event()
        self.seen: list[Seen] = []
        self.connections = 0
        self.gone = threading.Semaphore(0)
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="server", daemon=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stopping.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._sockets:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in (self._acceptor, *self._threads):
            thread.join(5)

    def _accept(self) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(connection)
            self.connections += 1
            number = self.connections
            thread = threading.Thread(
                target=self._serve, args=(connection, number), name="server", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with suppress(OSError), connection:
            if self._tls is None:
                self._talk(connection, number)
            else:
                with self._tls.wrap_socket(connection, server_side=True) as wrapped:
                    self._talk(wrapped, number)
        self.gone.release()

    def _talk(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as reader:
            if self._greeting:
                connection.sendall(self._greeting)
                self.stopping.wait()
            while (seen := _read_request(reader, number)) is not None:
                with self._lock:
                    self.seen.append(seen)
                    behave = self._script.pop(0) if len(self._script) > 1 else self._script[0]
                if not behave(Visit(socket=connection, seen=seen, stopping=self.stopping)):
                    break


def _read_request(reader: Any, connection: int) -> Seen | None:
    first = reader.readline().decode("latin-1").split()
    if len(first) < 2:
        return None
    headers: dict[str, str] = {}
    while (line := reader.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    body = reader.read(int(headers.get("content-length", "0")))
    return Seen(
        method=first[0],
        path=first[1],
        headers=headers,
        body=json.loads(body) if body else None,
        connection=connection,
    )


def head(status: int = 200, **headers: str) -> bytes:
    """A status line and headers; underscores in names stand for hyphens."""
    lines = [f"HTTP/1.1 {status} Scripted"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def answer(payload: Any, status: int = 200, **headers: str) -> Behaviour:
    """One JSON (or raw bytes) body."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()

    def behave(visit: Visit) -> bool:
        length = str(len(body))
        visit.send(
            head(status, **{"content_type": "application/json", "content_length": length} | headers)
        )
        visit.send(body)
        return True

    return behave


def raw(data: bytes, *, wait: bool = False) -> Behaviour:
    """These bytes and the end of the connection, or silence after them with ``wait``."""

    def behave(visit: Visit) -> bool:
        visit.send(data)
        if wait:
            visit.until_gone()
        return False

    return behave


def hang(visit: Visit) -> bool:
    """No byte at all."""
    visit.until_gone()
    return False


def hang_up(visit: Visit) -> bool:
    """The end of the connection, and no byte."""
    return False


def trickle(data: bytes, pause_s: float = 0.05) -> Behaviour:
    """One byte at a time, for ever: the last byte is repeated."""

    def behave(visit: Visit) -> bool:
        for position in range(10_000):
            visit.send(data[position : position + 1] or data[-1:])
            if visit.stopping.wait(pause_s):
                break
        return False

    return behave


def events(*data: Any, done: bool = True) -> bytes:
    """An event stream's bytes."""
    texts = [item if isinstance(item, str) else json.dumps(item) for item in data]
    texts += ["[DONE]"] if done else []
    return b"".join(f"data: {text}\n\n".encode() for text in texts)


def chunked(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


STREAM_HEAD = head(content_type="text/event-stream", transfer_encoding="chunked")
PLAIN_STREAM_HEAD = head(content_type="text/event-stream", connection="close")


def stream(*data: Any, done: bool = True) -> Behaviour:
    """A whole, well-behaved event stream in HTTP chunks."""

    def behave(visit: Visit) -> bool:
        visit.send(STREAM_HEAD)
        for item in data:
            visit.send(chunked(events(item, done=False)))
        visit.send((chunked(events()) if done else b"") + b"0\r\n\r\n")
        return True

    return behave


def endless(visit: Visit) -> bool:
    """A stream that goes on until the client is gone."""
    visit.send(STREAM_HEAD)
    while not visit.stopping.wait(0.01):
        visit.send(chunked(events(piece("word "), done=False)))
    return False


def piece(text: str | None = None, *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One chunk's JSON."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c-1", "created": 7, "model": "big-1", "choices": [choice], **more}


def whole(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A completion's JSON."""
    message = {"role": "assistant", "content": text}
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 7,
        "model": "big-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
        **more,
    }


def call_threads() -> list[str]:
    """Names of the arm's threads that are still alive, after up to 2 s for them to end."""
    for _ in range(100):
        names = [t.name for t in threading.enumerate() if t.name.startswith("hybridroute")]
        if not names:
            break
        time.sleep(0.02)
    return names
