"""Notices that a caller went away, and cancels what was done for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive

from hybridroute.server.json_body import ClientGone


@asynccontextmanager
async def cancelled_when_gone(receive: Receive) -> AsyncIterator[None]:
    """Cancel the block when the connection closes; the request's body must have been read.

    Raises
    ------
    ClientGone
        In place of the cancellation, if it was this that cancelled the block.
    """
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("there is no running task to cancel")
    watch = _Watch(task)
    watcher = asyncio.create_task(watch.until_gone(receive))
    try:
        yield
    except asyncio.CancelledError:
        if watch.is_gone and task.uncancel() == 0:
            raise ClientGone from None
        raise
    finally:
        watcher.cancel()


class _Watch:
    def __init__(self, task: asyncio.Task[object]) -> None:
        self._task = task
        self.is_gone = False

    async def until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        self._task.cancel()
