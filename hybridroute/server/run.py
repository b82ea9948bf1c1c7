"""Runs the application: one process, one socket, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.server.options import ServerOptions

_log = logging.getLogger(__name__)

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
    a second Ctrl-C, they are cut, which is told in one line.
    """
    drain_s = max(1, round(options.drain_s))
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # nothing here asks where a request came from
        lifespan="on",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=drain_s,
    )
    server = _Server(config, on_start)
    before = signal.signal(signal.SIGTERM, server.end)
    with _counted_cuts() as cuts:
        try:
            server.run(sockets=[listener])
        finally:
            signal.signal(signal.SIGTERM, before)
            listener.close()
            if cuts.count:
                what = "1 answer was" if cuts.count == 1 else f"{cuts.count} answers were"
                when = "at a second Ctrl-C" if server.force_exit else f"after {drain_s} s"
                _log.warning("%s cut off %s", what, when)


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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's; where a second Ctrl-C ends it, the application is still ended in order.

        Uvicorn leaves that to the loop's end, which cancels the application while it frees things.
        """
        await super().shutdown(sockets=sockets)
        left = [task for task in self.server_state.tasks if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        if self.force_exit:
            await self.lifespan.shutdown()

    def end(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (a handler's)
        """SIGTERM before uvicorn listens to signals, and when it hands it back at its end."""
        self.should_exit = True


class _Cuts(logging.Filter):
    """Counts the answers that an end cut, and keeps their tracebacks out of the log.

    Uvicorn logs each as a failure of the application, with frames that may quote a prompt.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, asyncio.CancelledError):
            self.count += 1
            return False
        return not str(record.msg).startswith("Cancel %s running task")


@contextmanager
def _counted_cuts() -> Iterator[_Cuts]:
    cuts, log = _Cuts(), logging.getLogger("uvicorn.error")
    log.addFilter(cuts)
    try:
        yield cuts
    finally:
        log.removeFilter(cuts)
