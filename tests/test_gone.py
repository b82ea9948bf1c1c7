"""A caller who goes away: what was done for it is cancelled, and other cancellations stay."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hybridroute.server.gone import cancelled_when_gone
from hybridroute.server.json_body import ClientGone


class Connection:
    """ASGI's receive: nothing, until the caller leaves."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.events: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        if self.events:
            return self.events.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}


async def _nobody_else() -> None:
    """Only this task is left."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_a_block_whose_caller_stays_runs_to_its_end() -> None:
    async def main() -> None:
        async with cancelled_when_gone(Connection().receive):
            await asyncio.sleep(0)
        await _nobody_else()

    asyncio.run(main())


def test_a_caller_who_leaves_cancels_the_block() -> None:
    async def main() -> None:
        held, ended = Connection(), []
        held.events.append({"type": "http.request"})
        with pytest.raises(ClientGone):
            async with cancelled_when_gone(held.receive):
                held.left.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.append(True)
        assert ended == [True]
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0, "what follows may be awaited"
        await _nobody_else()

    asyncio.run(main())


def test_another_cancellation_stays_one() -> None:
    async def main() -> None:
        begun = asyncio.Event()

        async def work() -> None:
            async with cancelled_when_gone(Connection().receive):
                begun.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _nobody_else()

    asyncio.run(main())


def test_of_both_at_once_the_other_counts() -> None:
    async def main() -> None:
        held, begun = Connection(), asyncio.Event()

        async def work() -> None:
            async with cancelled_when_gone(held.receive):
                begun.set()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    task.cancel()
                    raise

        task = asyncio.create_task(work())
        await begun.wait()
        held.left.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_what_the_block_raises_is_raised() -> None:
    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            async with cancelled_when_gone(Connection().receive):
                raise ZeroDivisionError
        await _nobody_else()

    asyncio.run(main())
