"""Runs the application: one process, one socket, and an orderly end."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.server.options import ServerOptions

KEEP_ALIVE_S = 75
"""An idle connection is kept longer than clients keep theirs (httpx, and so OpenAI's: 5 s): else
the server may close one just as a request is sent on it."""


def listen(options: ServerOptions) -> socket.socket:
    """A socket on the address.

    Raises
    ------
    ConfigError
        If the port is in use, or the address is none of this machine's.
    """
    host = options.host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, options.port))
        made.listen(2048)
    except OSError as exc:
        made.close()
        raise ConfigError(
            f"cannot listen on {options.host} port {options.port} ({exc.strerror or exc}); end the "
            "program that holds the port, or give another --port or --host"
        ) from exc
    return made


def url_of(listener: socket.socket) -> str:
    """Where a browser on this machine finds the server."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
    return f"http://{shown}:{port}"


def serve(
    app: Starlette,
    listener: socket.socket,
    options: ServerOptions,
    *,
    on_start: Callable[[], None] = lambda: None,
) -> None:
    """Serve until SIGTERM, which returns, or Ctrl-C, which raises KeyboardInterrupt.

    Either way no new connection is taken, and answers under way may end; after ``drain_s``, or at
    a second Ctrl-C, they are cut.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks where a request came from
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, round(options.drain_s)),
    )
    server = _Server(config, on_start)
    before = signal.signal(signal.SIGTERM, server.end)
    try:
        server.run(sockets=[listener])
    finally:
        signal.signal(signal.SIGTERM, before)
        listener.close()


class _Server(uvicorn.Server):
    """Says when it has started; takes SIGTERM as an order, not as a death."""

    def __init__(self, config: uvicorn.Config, on_start: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_start = on_start

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, with a word at its end."""
        await super().startup(sockets=sockets)
        if self.started:
            self._on_start()

    def end(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (a handler's)
        """SIGTERM before uvicorn listens to signals, and when it hands it back at its end."""
        self.should_exit = True
