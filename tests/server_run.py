"""The server in this process: uvicorn in a thread on a free port, over fakes or real arms."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import requests
import uvicorn
from pool_fakes import pool_arms, pool_bundle
from sdk_fakes import bundle as fake_bundle
from sdk_fakes import cloud_arm, edge_arm

from hybridroute.async_client import AsyncHybridClient
from hybridroute.server.app import make_app
from hybridroute.server.live import Serving
from hybridroute.server.options import ServerOptions
from hybridroute.server.run import listen, url_of
from hybridroute.settings_sections import Settings


def serving(
    *,
    settings: Settings | None = None,
    missing: tuple[str, ...] = (),
    unable: Mapping[str, str] | None = None,
    **given: Any,
) -> Serving:
    """A Serving over fake arms and a fake bundle, unless others are given."""
    held = {"bundle": fake_bundle(), "edge": edge_arm(), "cloud": cloud_arm(), **given}
    arms = [(name, held[name].model) for name in ("edge", "cloud") if held[name] is not None]
    return Serving(
        client=AsyncHybridClient(held.pop("bundle"), **held),
        settings=settings or Settings(),
        models=tuple(arms),
        missing=missing,
        unable=unable or {},
    )


def pool_serving() -> Serving:
    """A Serving over a pool of three fake arms."""
    arms = pool_arms()
    return Serving(
        client=AsyncHybridClient(pool_bundle(), arms=arms),
        settings=Settings(),
        models=tuple((arm.name, arm.model) for arm in arms),
        missing=(),
        unable={},
    )


class ServerRun:
    """A running server; ``remake`` is what a reload would call."""

    def __init__(
        self,
        first: Serving | None = None,
        *,
        remake: Callable[[], Serving] = serving,
        **options: Any,
    ) -> None:
        self.options = ServerOptions(**{"port": 0, **options})
        self.first = first or serving()
        app = make_app(self.first, self.options, remake=remake)
        self.routes = app.routes
        self._listener = listen(self.options)
        self.url = url_of(self._listener)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=3
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._listener],), name="test-server", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        for _ in range(200):
            if self._server.started and self.get("/ready").status_code == 200:
                return self
            time.sleep(0.02)
        raise AssertionError("the server did not start")

    def __exit__(self, *exc_info: object) -> None:
        self._server.should_exit = True
        self._thread.join(15)
        self._listener.close()
        assert not self._thread.is_alive()

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=20, **more)

    def put(self, path: str, body: Any, **more: Any) -> requests.Response:
        return requests.put(self.url + path, json=body, timeout=20, **more)

    def post(self, body: Any, path: str = "/v1/chat/completions", **more: Any) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=20, **more)

    def ask(self, text: str, **fields: Any) -> requests.Response:
        """One chat request."""
        return self.post({"messages": [{"role": "user", "content": text}], **fields})
