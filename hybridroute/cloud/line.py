"""One ``requests`` session whose socket another thread can shut down."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

Watch = Callable[[socket.socket, bool], None]


class Line:
    """A session with its kept-alive connection, used by one call at a time.

    ``requests.Session`` is not promised to be thread-safe, so each call borrows a line of its own
    and gives it back. One call at a time also means that there is one socket to shut down.
    """

    def __init__(self, no_proxy: str = "") -> None:
        self._session = requests.Session()
        self._adapter = _WatchedAdapter(self._watch)
        self._no_proxy = no_proxy
        self._socket: socket.socket | None = None
        self._kept: socket.socket | None = None
        self._like: tuple[Any, ...] | None = None
        self._template = requests.PreparedRequest()
        self._around: tuple[str, Mapping[str, Any]] | None = None
        self._is_connected = False
        self.is_cut = False

    def send(
        self, request: requests.Request, *, connect_timeout_s: float, read_timeout_s: float
    ) -> requests.Response:
        """Send a request and wait for the headers; the body is not read.

        The environment's proxies and CA bundles are used, as they were at the line's first
        request. ``request.auth`` must be set, else ``requests`` takes a password from ~/.netrc.
        Redirects are not followed: the adapter is called directly, as ``Session.send`` reads a
        redirect's body whole, however long it is.

        Raises
        ------
        requests.RequestException
        """
        self._kept = self._socket
        prepared = self._prepared(request)
        around = self._surroundings(prepared.url or "")
        return self._adapter.send(
            prepared,
            stream=True,
            timeout=(connect_timeout_s, read_timeout_s),
            verify=around["verify"] is None or around["verify"],
            cert=around["cert"],
            proxies=around["proxies"],
        )

    @property
    def is_connected(self) -> bool:
        """Whether the newest socket got as far as sending: TCP, proxy and TLS are done."""
        return self._is_connected

    def forget_kept(self) -> bool:
        """Whether the failed request went out on a kept connection; True only once for each."""
        was_kept = self._kept is not None and self._kept is self._socket
        self._kept = self._socket = None
        return was_kept

    def cut(self) -> None:
        """Shut the socket down for good: a blocked read returns. From any thread."""
        self.is_cut = True
        _shut(self._socket)

    def limit_reads(self, seconds: float) -> None:
        """Let no further read of this request block for longer."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.settimeout(seconds)

    def close(self) -> None:
        """Close the session and its idle connection."""
        self._adapter.close()
        self._session.close()
        self._socket = None

    def _prepared(self, request: requests.Request) -> requests.PreparedRequest:
        """The request, checked and encoded; what does not change between requests only once.

        A session's cookies and defaults are no part of it: this session has none, as its adapter
        is called directly.
        """
        like = (request.method, request.url, request.headers)
        if like != self._like:
            # Neither body nor key: what was asked once must not live as long as the line.
            bare = requests.Request(*like, auth=KeyAuth(None))
            self._like, self._template = like, self._session.prepare_request(bare)
        prepared = self._template.copy()
        prepared.prepare_body(request.data, None)
        prepared.prepare_auth(request.auth)
        return prepared

    def _surroundings(self, url: str) -> Mapping[str, Any]:
        """The environment's proxies and certificates, looked up for the line's first request."""
        if self._around is None or self._around[0] != url:
            proxies = {"no_proxy": self._no_proxy} if self._no_proxy else {}
            merged = self._session.merge_environment_settings(url, proxies, True, None, None)
            self._around = (url, merged)
        return self._around[1]

    def _watch(self, opened: socket.socket, is_connected: bool) -> None:
        self._socket = opened
        self._is_connected = is_connected
        # Looked at after the socket is stored, as `cut` sets it before it looks at the socket.
        if self.is_cut:
            _shut(opened)


def _shut(opened: socket.socket | None) -> None:
    if opened is not None:
        with suppress(OSError):
            # Not SSLSocket.shutdown: that drops the TLS state under a reader's feet.
            socket.socket.shutdown(opened, socket.SHUT_RDWR)


class KeyAuth(AuthBase):
    """The key as a bearer token; any auth object keeps ``requests`` away from ~/.netrc."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the header, where there is a key."""
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


class _WatchedAdapter(HTTPAdapter):
    """Reports every socket it opens, direct or through a proxy."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watch_pools(self.poolmanager, self._watch)

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> Any:
        is_new = proxy not in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **proxy_kwargs)
        if is_new:
            _watch_pools(manager, self._watch)
        return manager


def _watch_pools(manager: Any, watch: Watch) -> None:
    manager.pool_classes_by_scheme = {
        scheme: _watched_pool(pool, watch)
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _watched_pool(pool: type[Any], watch: Watch) -> type[Any]:
    base = pool.ConnectionCls

    def new_conn(self: Any) -> socket.socket:
        # The bare socket, for proxies that never finish answering CONNECT.
        opened: socket.socket = base._new_conn(self)
        watch(opened, False)
        return opened

    def connect(self: Any) -> None:
        base.connect(self)
        watch(self.sock, True)

    members = {"_new_conn": new_conn, "connect": connect}
    return type(pool.__name__, (pool,), {"ConnectionCls": type(base.__name__, (base,), members)})
