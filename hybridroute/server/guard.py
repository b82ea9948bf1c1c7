"""What stands before every endpoint: who may ask, from where, and what every answer carries."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hybridroute.loopback import is_loopback
from hybridroute.server.answers import error_answer
from hybridroute.server.api_errors import ApiError, api_error_of
from hybridroute.server.options import ServerOptions

_log = logging.getLogger(__name__)

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SERVER_FAULT = 500
_SECURITY = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """Checks key, host and origin before anything else runs.

    A server on a loopback address has two more enemies than other machines: web pages open in a
    browser on this machine, which can send requests to it (so a request with a foreign ``Origin``
    is refused), and names that such a page makes resolve to this machine (so a ``Host`` that is
    no loopback name is refused).

    Parameters
    ----------
    app : ASGI application
    options : ServerOptions
    open_paths : collection of str
        Paths that need no key: they tell nothing.
    """

    def __init__(self, app: ASGIApp, options: ServerOptions, open_paths: Collection[str]) -> None:
        self._app = app
        self._key = options.key
        self._is_local = is_loopback(options.host)
        self._origins = options.cors_origins
        self._open_paths = frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, receive, with_headers)
        except Exception as exc:
            # What the caller did wrong is told to the caller, and is nothing for whoever runs this.
            if api_error_of(exc).status >= _SERVER_FAULT:
                _log.error("an endpoint failed: %s", type(exc).__name__)
            if not started:
                await error_answer(exc)(scope, receive, with_headers)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._is_local and not is_loopback(_host_name(host)):
            raise ApiError(
                403,
                "the Host header does not name this machine's loopback address; ask at 127.0.0.1",
                code="host_not_allowed",
            )
        self._check_origin(headers.get("origin"), host)
        if self._key is not None and scope["path"] not in self._open_paths:
            _check_key(headers.get("authorization", ""), self._key)

    def _check_origin(self, origin: str | None, host: str) -> None:
        if origin is None or origin in self._origins or _host_of(origin) == host:
            return
        raise ApiError(
            403,
            "scripts of another web origin may not ask this server; start it with --cors-origin "
            "to let one in",
            code="origin_not_allowed",
        )


def _host_of(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # a bracket without its pair
        return None


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _check_key(authorization: str, key: str) -> None:
    scheme, _, given = authorization.partition(" ")
    # Compared in constant time; what is not ASCII is no key, and compare_digest takes bytes.
    same = secrets.compare_digest(given.strip().encode("utf-8", "replace"), key.encode("ascii"))
    if scheme.lower() != "bearer" or not same:
        raise ApiError(
            401,
            "Incorrect API key provided. Send the server's key as a bearer token",
            code="invalid_api_key",
            headers={"www-authenticate": "Bearer"},
        )
