"""A stream for event loops: handed over whole, ended by whoever leaves it."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import pytest
from sdk_fakes import (
    FakeArm,
    FakeScorer,
    answer,
    chunk,
    cloud_arm,
    contents,
    edge_arm,
    manifest,
    user,
    watch,
)
from slow_arm import SlowArm

from hybridroute.async_stream import AsyncChatStream
from hybridroute.attempts import Attempts
from hybridroute.edge_runtime.chat import ChatRequest, CompletionChunk, Usage
from hybridroute.edge_runtime.errors import ArmUnavailable, StreamInterrupted
from hybridroute.loop_threads import LoopThreads
from hybridroute.router import Router
from hybridroute.setting import Setting
from hybridroute.stream import ChatStream
from hybridroute.threshold_policy import ThresholdPolicy

REQUEST = ChatRequest(messages=tuple(user("0.9 easy")))
WHO: ContextVar[str] = ContextVar("WHO", default="nobody")
COUNTS = Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5)

Use = Callable[[AsyncChatStream], Awaitable[None]]


def chat_stream(*arms: Any) -> ChatStream:
    router = Router(scorer=FakeScorer(), manifest=manifest(), arms=(edge_arm(), cloud_arm()))
    active = ThresholdPolicy(router.manifest, ()).activate(Setting(threshold=0.5))
    decision = router.decide(REQUEST, active)
    return ChatStream(Attempts(decision, arms, watch(REQUEST)), REQUEST, check_open=lambda: None)


def run(use: Use, *arms: Any) -> None:
    """One stream in a loop; its threads end with it."""

    async def main() -> None:
        threads = LoopThreads(1)
        try:
            await asyncio.wait_for(use(AsyncChatStream(chat_stream(*arms), threads)), 20)
        finally:
            await threads.close(lambda: None)

    asyncio.run(main())


async def happened(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 10)


class Told:
    """An arm's stream of words; it says when it was read to its end, and when it was closed."""

    def __init__(self, *words: str, held: threading.Event | None = None) -> None:
        self._items = answer(*words)
        self._held = held
        self.ended, self.closed = threading.Event(), threading.Event()

    def __iter__(self) -> Told:
        return self

    def __next__(self) -> CompletionChunk:
        if len(self._items) == 1 and self._held is not None:
            assert self._held.wait(10)
        if self.closed.is_set() or not self._items:
            self.ended.set()
            raise StopIteration
        item = self._items.pop(0)
        assert isinstance(item, CompletionChunk)
        return item

    def close(self) -> None:
        self.closed.set()


class ToldArm(FakeArm):
    """Hands out the one stream it was given."""

    told: Any = None

    def stream(self, request: ChatRequest) -> Any:
        super().stream(request)
        return self.told


def told_arm(told: Any) -> ToldArm:
    arm = ToldArm("edge", "small-1", "device")
    arm.told = told
    return arm


def test_nothing_is_asked_before_the_first_chunk_is_awaited() -> None:
    arm = edge_arm()

    async def use(stream: AsyncChatStream) -> None:
        assert stream.decision.arm == "edge"
        assert (arm.requests, stream.first_token_ms, stream.usage) == ([], None, None)
        await anext(stream)
        assert len(arm.requests) == 1
        assert stream.first_token_ms is not None

    run(use, arm)


def test_every_chunk_in_order_with_its_decision_and_then_the_end_for_good() -> None:
    words = [f"{at} " for at in range(300)]

    async def use(stream: AsyncChatStream) -> None:
        chunks = [one async for one in stream]
        assert contents(chunks) == words
        assert {one.hybridroute.id for one in chunks} == {stream.decision.id}
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

    run(use, edge_arm(script=answer(*words)))


def test_the_counts_are_the_streams() -> None:
    script = [*answer("a"), replace(chunk(), choices=(), usage=COUNTS)]

    async def use(stream: AsyncChatStream) -> None:
        assert contents([one async for one in stream]) == ["a"]
        assert stream.usage == COUNTS

    run(use, edge_arm(script=script))


def test_an_error_comes_after_the_chunks_before_it_and_ends_the_stream() -> None:
    script = [*answer("a", "b")[:-1], StreamInterrupted("cut", arm="edge")]

    async def use(stream: AsyncChatStream) -> None:
        got = []
        with pytest.raises(StreamInterrupted, match="cut"):
            async for one in stream:
                got.append(one)  # noqa: PERF401 - what came before the error is wanted
        assert contents(got) == ["a", "b"]
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run(use, edge_arm(script=script))


def test_another_arm_takes_over_before_the_first_token() -> None:
    async def use(stream: AsyncChatStream) -> None:
        assert contents([one async for one in stream]) == ["cloud"]
        assert (stream.decision.arm, stream.decision.fallback_from) == ("cloud", "edge")

    run(use, edge_arm(fails=ArmUnavailable("down", arm="edge")), cloud_arm())


def test_an_arm_faster_than_its_reader_is_not_held_up() -> None:
    told = Told(*"abcdef")

    async def use(stream: AsyncChatStream) -> None:
        first = await anext(stream)
        await happened(told.ended)
        rest = [one async for one in stream]
        assert contents([first, *rest]) == list("abcdef")

    run(use, told_arm(told))


def test_closing_before_the_first_chunk_asks_nobody() -> None:
    arm = edge_arm()

    async def use(stream: AsyncChatStream) -> None:
        await stream.aclose()
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run(use, arm)
    assert arm.requests == []


def test_closing_has_cancelled_the_generation_and_what_waits_is_not_handed_over() -> None:
    told = Told(*"abc")

    async def use(stream: AsyncChatStream) -> None:
        await anext(stream)
        await happened(told.ended)
        await stream.aclose()
        assert told.closed.is_set()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run(use, told_arm(told))


def test_leaving_the_block_cancels() -> None:
    arm = SlowArm()

    async def use(stream: AsyncChatStream) -> None:
        async with stream as inner:
            assert inner is stream
            await anext(inner)
            assert not arm.ended.is_set()
        assert arm.ended.is_set()

    run(use, arm)


def test_an_error_in_the_block_cancels_and_is_raised() -> None:
    arm = SlowArm()

    async def use(stream: AsyncChatStream) -> None:
        with pytest.raises(ZeroDivisionError):
            async with stream:
                await anext(stream)
                raise ZeroDivisionError
        assert arm.ended.is_set()

    run(use, arm)


def test_cancelling_the_task_that_awaits_a_chunk_cancels_the_generation() -> None:
    held = threading.Event()
    told = Told("a", held=held)

    async def use(stream: AsyncChatStream) -> None:
        assert contents([await anext(stream), await anext(stream)]) == ["a"]
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await happened(told.closed)
        held.set()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run(use, told_arm(told))


def test_a_dropped_stream_cancels_the_generation() -> None:
    arm = SlowArm()

    async def main() -> None:
        threads = LoopThreads(1)
        stream = AsyncChatStream(chat_stream(arm), threads)
        await anext(stream)
        assert not arm.ended.is_set()
        del stream
        gc.collect()
        await happened(arm.ended)
        await threads.close(lambda: None)

    asyncio.run(main())


def test_what_the_arms_stream_raises_when_closed_is_raised_by_aclose() -> None:
    class Stuck(Told):
        def close(self) -> None:
            super().close()
            raise ArmUnavailable("it hangs", arm="edge")

    told = Stuck("a", held=threading.Event())

    async def use(stream: AsyncChatStream) -> None:
        await anext(stream)
        with pytest.raises(ArmUnavailable, match="it hangs"):
            await stream.aclose()
        told._held.set()  # type: ignore[union-attr]
        await stream.aclose()

    run(use, told_arm(told))


def test_the_arm_is_asked_in_the_context_that_made_the_stream() -> None:
    seen: list[str] = []

    async def main() -> None:
        threads = LoopThreads(1)
        WHO.set("the maker")
        arm = edge_arm(on_call=lambda request: seen.append(WHO.get()))
        stream = AsyncChatStream(chat_stream(arm), threads)
        WHO.set("the reader")
        assert contents([one async for one in stream]) == ["edge"]
        await threads.close(lambda: None)

    asyncio.run(main())
    assert seen == ["the maker"]
