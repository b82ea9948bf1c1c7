"""The ASGI application: routes, and what stands before them."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ExceptionHandler

from hybridroute.answered import Answered
from hybridroute.server.answers import error_answer
from hybridroute.server.api_errors import ApiError, api_error_of
from hybridroute.server.chat_endpoint import ChatEndpoint
from hybridroute.server.control import Control
from hybridroute.server.guard import Guard
from hybridroute.server.live import Live, Serving
from hybridroute.server.metrics import Metrics
from hybridroute.server.openapi import document
from hybridroute.server.options import ServerOptions
from hybridroute.server.page import page_routes
from hybridroute.server.stats import Stats
from hybridroute.server.wire import EXPOSED

_log = logging.getLogger(__name__)

OPEN_PATHS = ("/health", "/ready", "/openapi.json")


def make_app(first: Serving, options: ServerOptions, *, remake: Callable[[], Serving]) -> Starlette:
    """The application, which owns ``first`` and frees it at its end.

    Parameters
    ----------
    first : Serving
        What answers until a reload.
    options : ServerOptions
    remake : callable
        Makes a Serving from the configuration as it is then; see :class:`Live`.
    """
    stats, metrics = Stats(), Metrics()

    def listener(one: Answered) -> None:
        chat.note(one)
        stats.record(one)
        metrics.record(one)
        told = (one.decision.arm, one.decision.reason, one.outcome, one.total_ms)
        _log.info("%s: %s, %s in %.0f ms", *told, extra={"answered": one})

    live = Live(first, remake, listener)
    control = Control(live, options, stats=stats, metrics=metrics)
    chat = ChatEndpoint(live, options, metrics)
    pages = page_routes()
    handlers: dict[type[Exception] | int, ExceptionHandler] = {
        HTTPException: _http_error,
        Exception: _any_error,
    }
    open_paths = (*OPEN_PATHS, *(route.path for route in pages))
    return Starlette(
        routes=[*_api_routes(chat, control), *pages],
        middleware=[*_cors(options), Middleware(Guard, options=options, open_paths=open_paths)],
        exception_handlers=handlers,
        lifespan=lambda _: _running(live),
    )


def _api_routes(chat: ChatEndpoint, control: Control) -> list[Route]:
    async def openapi(request: Request) -> Response:  # noqa: ARG001 (Starlette's arguments)
        return document()

    return [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/models", control.models),
        Route("/v1/models/{name}", control.model),
        Route("/v1/hybridroute/dial", control.get_dial, methods=["GET"]),
        Route("/v1/hybridroute/dial", control.put_dial, methods=["PUT"]),
        Route("/v1/hybridroute/curve", control.curve),
        Route("/v1/hybridroute/stats", control.stats),
        Route("/v1/hybridroute/info", control.info),
        Route("/v1/hybridroute/route", control.route, methods=["POST"]),
        Route("/v1/hybridroute/feedback", control.feedback, methods=["POST"]),
        Route("/health", control.health),
        Route("/ready", control.ready),
        Route("/metrics", control.metrics),
        Route("/openapi.json", openapi),
    ]


def _cors(options: ServerOptions) -> list[Middleware]:
    if not options.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=options.cors_origins,
            allow_methods=["GET", "POST", "PUT"],
            # Mirrors what is asked for: OpenAI's browser clients send headers of their own, and
            # the origins were named one by one.
            allow_headers=["*"],
            expose_headers=[*EXPOSED, "etag"],
        )
    ]


@asynccontextmanager
async def _running(live: Live) -> AsyncIterator[None]:
    """Load the models beside the first requests, reload on SIGHUP, free everything at the end."""
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[object]] = {loop.create_task(live.warm_up())}

    def reload() -> None:
        task: asyncio.Task[object] = loop.create_task(live.reload())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    hears = _listen(loop, reload)
    try:
        yield
    finally:
        if hears:
            loop.remove_signal_handler(signal.SIGHUP)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await live.close()


def _listen(loop: asyncio.AbstractEventLoop, reload: Callable[[], None]) -> bool:
    """Whether SIGHUP is now heard: not where there is none, and not outside the main thread."""
    if not hasattr(signal, "SIGHUP") or threading.current_thread() is not threading.main_thread():
        return False
    loop.add_signal_handler(signal.SIGHUP, reload)
    return True


async def _http_error(request: Request, error: Exception) -> Response:
    """Starlette's own errors: no such path, no such method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    asked = f"{request.method} {request.url.path[:80]!r}"
    if status == 405:
        allowed = ", ".join(_methods_of(request))
        said = f"{asked} is not served; ask with {allowed}, see /openapi.json"
        headers = {"allow": allowed}
        return error_answer(ApiError(status, said, code="method_not_allowed", headers=headers))
    said = f"{asked} is not served here; see /openapi.json"
    headers = dict(getattr(error, "headers", None) or {})
    return error_answer(ApiError(status, said, code="not_found", headers=headers))


def _methods_of(request: Request) -> list[str]:
    """What the path can be asked with, over all its routes: Starlette names the first one's."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    fitting = (route for route in routes if route.path_regex.match(request.url.path))
    return sorted({method for route in fitting for method in route.methods or ()})


async def _any_error(request: Request, error: Exception) -> Response:  # noqa: ARG001
    return error_answer(api_error_of(error))
