"""AsyncHybridClient: awaited answers, a loop that is never held up, calls that can be cancelled."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest
from sdk_fakes import (
    FakeArm,
    FakeScorer,
    FakeStream,
    answer,
    bundle,
    chunk,
    cloud_arm,
    contents,
    edge_arm,
    user,
)
from tiny_bundle import write_tiny_bundle

from hybridroute import AsyncChatStream, AsyncHybridClient, ChatCompletion, HybridClient, Setting
from hybridroute.edge_runtime.chat import ChatRequest, Completion
from hybridroute.edge_runtime.errors import (
    ArmUnavailable,
    ConfigError,
    RequestError,
    StreamInterrupted,
)
from hybridroute.edge_runtime.protocols import Assessment
from hybridroute.edge_runtime.stop_signal import StopSignal

EASY, HARD = user("0.95 easy"), user("0.05 hard")


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    gc.collect()
    ends = time.monotonic() + 10
    while left := set(threading.enumerate()) - before:
        assert time.monotonic() < ends, f"threads are left: {left}"
        time.sleep(0.01)


def _client(**given: Any) -> AsyncHybridClient:
    held = {"bundle": bundle(), "edge": edge_arm(), "cloud": cloud_arm(), "threshold": 0.5, **given}
    return AsyncHybridClient(held.pop("bundle"), **held)


def _run(use: Callable[[AsyncHybridClient], Awaitable[None]], **given: Any) -> None:
    async def main() -> None:
        async with _client(**given) as client:
            await use(client)

    asyncio.run(main())


async def _until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends, "it never came"
        await asyncio.sleep(0.005)


class _SlowStream(FakeStream):
    """A token every 10 ms, without end, until it is closed."""

    def __next__(self) -> Any:
        if self.closed:
            raise StopIteration
        time.sleep(0.01)
        return chunk("word")


class _SlowArm:
    """Generates for ever, token by token; a StoppableArm over a FakeArm's members."""

    def __init__(self) -> None:
        self._held = edge_arm()
        self.tokens = 0
        self.ended = threading.Event()
        self.streams: list[_SlowStream] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._held, name)

    def complete_until(self, request: ChatRequest, stop: StopSignal) -> Completion:
        while not stop.is_set:
            self.tokens += 1
            time.sleep(0.01)
        self.ended.set()
        raise ArmUnavailable("stopped", arm="edge")

    def stream_until(self, request: ChatRequest, stop: StopSignal) -> _SlowStream:
        self.streams.append(_SlowStream([]))
        return self.streams[-1]

    # The members that isinstance() looks for on the class.
    name, model, place = "edge", "small-1", "device"
    capabilities = edge_arm().capabilities

    def count_tokens(self, messages: Any) -> int:
        return 1

    def complete(self, request: ChatRequest) -> Completion:
        return self.complete_until(request, StopSignal())

    def stream(self, request: ChatRequest) -> _SlowStream:
        return self.stream_until(request, StopSignal())

    def warm_up(self) -> None: ...

    def close(self) -> None:
        for one in self.streams:
            one.close()


def test_answers_as_the_sync_client_does() -> None:
    async def use(client: AsyncHybridClient) -> None:
        easy = await client.chat.completions.create(messages=EASY, temperature=0.0)
        hard = await client.chat.completions.create(messages=HARD)
        assert isinstance(easy, ChatCompletion)
        assert [easy.hybridroute.arm, hard.hybridroute.arm] == ["edge", "cloud"]
        assert easy.hybridroute.reason == "score_at_or_above_threshold"
        assert (await client.chat.completions.create(messages=EASY, dial=1.0)).model == "small-1"

    _run(use)


def test_streams_chunks_with_their_decision() -> None:
    async def use(client: AsyncHybridClient) -> None:
        stream = await client.chat.completions.create(messages=EASY, stream=True)
        assert isinstance(stream, AsyncChatStream)
        assert stream.decision.arm == "edge"
        assert edge.requests == [], "asked at the first chunk"
        chunks = [one async for one in stream]
        assert contents(chunks) == ["a", "b", "c"]
        assert {one.hybridroute.id for one in chunks} == {stream.decision.id}
        assert stream.first_token_ms is not None
        assert [one async for one in stream] == []

    edge = edge_arm(script=answer("a", "b", "c"))
    _run(use, edge=edge)


def test_routes_and_turns_as_the_sync_client_does() -> None:
    async def use(client: AsyncHybridClient) -> None:
        assert (await client.route(HARD)).arm == "cloud"
        client.dial = 0.25
        assert client.setting == Setting(dial=0.25)
        assert client.expect().cloud_share == pytest.approx(0.2)
        assert client.calibrated
        assert client.mode == "auto"
        assert (await client.route(HARD, threshold=0.0)).arm == "edge"
        await client.warm_up()
        assert edge.warm

    edge = edge_arm()
    _run(use, edge=edge)


def test_one_core_may_have_both_faces() -> None:
    client = HybridClient(bundle(), edge=edge_arm(), cloud=cloud_arm(), dial=0.5)
    both = AsyncHybridClient.over(client)
    both.dial = 0.75
    assert client.dial == 0.75
    asyncio.run(both.aclose())
    with pytest.raises(ConfigError, match="closed"):
        client.route(EASY)


def test_errors_are_those_of_the_sync_client() -> None:
    async def use(client: AsyncHybridClient) -> None:
        with pytest.raises(RequestError):
            await client.chat.completions.create(messages=[])
        with pytest.raises(RequestError, match="no user message"):
            await client.chat.completions.create(messages=user(" "))
        with pytest.raises(ConfigError, match="dial"):
            client.dial = 3.0
        answered = await client.chat.completions.create(messages=EASY)
        assert answered.hybridroute.reason == "fallback"
        stream = await client.chat.completions.create(messages=HARD, stream=True)
        assert (await anext(stream)).choices[0].delta.content == "Hal"
        with pytest.raises(StreamInterrupted):
            await anext(stream)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    broken = cloud_arm(script=[chunk("Hal"), StreamInterrupted("cut", arm="cloud")])
    _run(use, edge=edge_arm(fails=ArmUnavailable("down", arm="edge")), cloud=broken)


def test_the_loop_is_never_held_up(tmp_path: Path) -> None:
    """Arms wait for what only the loop can give: a loop that was held up would never give it."""
    go, waiting = threading.Event(), []

    def block(request: ChatRequest) -> None:
        waiting.append(request)
        assert go.wait(30), "the loop was held up"

    async def use(client: AsyncHybridClient) -> None:
        ask = client.chat.completions.create
        whole = [asyncio.create_task(ask(messages=user(f"question {n} " * 50))) for n in range(8)]
        stream = await ask(messages=user("another"), stream=True)
        reading = asyncio.create_task(_all(stream))
        await _until(lambda: len(waiting) == 9)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not any(task.done() for task in (*whole, reading))
        go.set()
        assert contents(await reading)
        assert {(await task).hybridroute.score_kind for task in whole} == {"label"}

    arms = {"edge": edge_arm(on_call=block), "cloud": cloud_arm(on_call=block)}
    _run(use, bundle=write_tiny_bundle(tmp_path / "tiny"), **arms)


def test_scoring_does_not_hold_the_loop_up() -> None:
    go = threading.Event()

    class _SlowScorer(FakeScorer):
        def assess(self, text: str) -> Assessment:
            assert go.wait(30), "the loop was held up"
            return super().assess(text)

    async def use(client: AsyncHybridClient) -> None:
        task = asyncio.create_task(client.route(EASY))
        await asyncio.sleep(0.02)
        go.set()
        assert (await task).arm == "edge"

    _run(use, bundle=bundle(_SlowScorer()))


async def _all(stream: AsyncChatStream) -> list[Any]:
    return [one async for one in stream]


def test_cancelling_the_awaiting_task_ends_the_generation() -> None:
    arm = _SlowArm()

    async def use(client: AsyncHybridClient) -> None:
        task = asyncio.create_task(client.chat.completions.create(messages=EASY))
        await _until(lambda: arm.tokens > 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _until(arm.ended.is_set)
        assert cloud.requests == [], "a cancelled request is no reason to ask another arm"

    cloud = cloud_arm()
    _run(use, edge=arm, cloud=cloud)


def test_cancelling_a_read_ends_the_stream() -> None:
    arm = _SlowArm()

    async def use(client: AsyncHybridClient) -> None:
        stream = await client.chat.completions.create(messages=EASY, stream=True)
        task = asyncio.create_task(_all(stream))
        await _until(lambda: bool(arm.streams))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await _until(lambda: arm.streams[0].closed)
        assert await _all(stream) == []

    _run(use, edge=arm)


@pytest.mark.parametrize("leave", ["closed", "dropped", "block left"])
def test_an_abandoned_stream_frees_the_arm(leave: str) -> None:
    arm = _SlowArm()

    async def use(client: AsyncHybridClient) -> None:
        stream = await client.chat.completions.create(messages=EASY, stream=True)
        if leave == "block left":
            async with stream:
                await anext(stream)
        else:
            await anext(stream)
        if leave == "closed":
            await stream.aclose()
            await stream.aclose()
            assert arm.streams[0].closed
        gc.disable()
        try:
            del stream
            await _until(lambda: arm.streams[0].closed)
        finally:
            gc.enable()

    _run(use, edge=arm)


def test_a_stream_never_begun_asks_nobody() -> None:
    async def use(client: AsyncHybridClient) -> None:
        stream = await client.chat.completions.create(messages=EASY, stream=True)
        await stream.aclose()
        assert await _all(stream) == []
        assert edge.requests == []

    edge = edge_arm()
    _run(use, edge=edge)


def test_a_full_house_still_routes() -> None:
    """Answers wait for a thread; decisions have threads of their own."""
    release, asked = threading.Event(), []

    def hold(request: ChatRequest) -> None:
        asked.append(request)
        assert release.wait(10)

    async def use(client: AsyncHybridClient) -> None:
        ask = client.chat.completions.create
        first = asyncio.create_task(ask(messages=EASY))
        second = asyncio.create_task(ask(messages=EASY))
        await _until(lambda: len(asked) == 1)
        assert (await client.route(HARD)).arm == "cloud"
        await asyncio.sleep(0.05)
        assert len(asked) == 1
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        release.set()
        assert (await first).hybridroute.arm == "edge"
        assert len(asked) == 1, "cancelled before its turn, it was never asked"

    _run(use, edge=edge_arm(on_call=hold), max_concurrency=1)


def test_context_variables_reach_the_arm() -> None:
    trace: ContextVar[str] = ContextVar("trace", default="none")
    seen: list[str] = []

    async def use(client: AsyncHybridClient) -> None:
        trace.set("request 7")
        await client.chat.completions.create(messages=EASY)
        stream = await client.chat.completions.create(messages=EASY, stream=True)
        trace.set("later")
        await _all(stream)

    _run(use, edge=edge_arm(on_call=lambda request: seen.append(trace.get())))
    assert seen == ["request 7", "request 7"]


def test_closing_ends_what_runs_and_refuses_the_rest() -> None:
    arm = _SlowArm()

    async def main() -> None:
        client = _client(edge=arm)
        stream = await client.chat.completions.create(messages=EASY, stream=True)
        await anext(stream)
        await client.aclose()
        await client.aclose()
        await asyncio.wait_for(_all(stream), 10)
        await asyncio.wait_for(stream.aclose(), 10)
        for use in (client.route(EASY), client.chat.completions.create(messages=EASY)):
            with pytest.raises(ConfigError, match="closed"):
                await use
        with pytest.raises(ConfigError, match="closed"):
            await client.warm_up()

    asyncio.run(main())


def test_one_client_serves_one_loop_after_another() -> None:
    client = _client()

    async def ask() -> str:
        return (await client.chat.completions.create(messages=EASY)).hybridroute.arm

    assert [asyncio.run(ask()), asyncio.run(ask())] == ["edge", "edge"]
    asyncio.run(client.aclose())


def test_a_client_dropped_unclosed_leaves_no_thread() -> None:
    async def main() -> None:
        client = _client()
        await client.chat.completions.create(messages=EASY)

    asyncio.run(main())


def test_many_streams_at_once_lose_nothing() -> None:
    words = [str(n) for n in range(50)]

    async def use(client: AsyncHybridClient) -> None:
        async def one() -> list[str]:
            stream = await client.chat.completions.create(messages=EASY, stream=True)
            return contents(await _all(stream))

        assert await asyncio.gather(*(one() for _ in range(40))) == [words] * 40

    _run(use, edge=edge_arm(script=answer(*words)))


def test_wrong_concurrency() -> None:
    with pytest.raises(ConfigError, match="max_concurrency is 0"):
        _client(max_concurrency=0)


def test_a_task_cancelled_while_it_is_routed_asks_no_arm() -> None:
    asked, held = threading.Event(), threading.Event()

    class Held(FakeScorer):
        def assess(self, text: str) -> Assessment:
            asked.set()
            assert held.wait(10)
            return super().assess(text)

    arm = cloud_arm()

    async def use(client: AsyncHybridClient) -> None:
        task = asyncio.create_task(client.chat.completions.create(messages=HARD))
        await _until(asked.is_set)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        held.set()

    _run(use, bundle=bundle(Held()), cloud=arm)
    assert arm.requests == []


def test_what_an_arm_raises_when_closed_is_raised_by_aclose() -> None:
    class Stuck(FakeArm):
        def close(self) -> None:
            raise ArmUnavailable("it hangs", arm=self.name)

    cloud = cloud_arm()

    async def main() -> None:
        client = _client(edge=Stuck("edge", "small-1", "device"), cloud=cloud)
        await client.route(EASY)
        with pytest.raises(ArmUnavailable, match="it hangs"):
            await client.aclose()
        with pytest.raises(ConfigError, match="closed"):
            await client.route(EASY)

    asyncio.run(main())
    assert cloud.closed


def test_a_pool_shut_down_since_the_client_was_seen_open_says_that_it_is_closed() -> None:
    async def main() -> None:
        client = _client()
        client._threads._decisions.shutdown()
        client._threads._is_open = False
        client._threads._begin = lambda: None  # type: ignore[method-assign]
        with pytest.raises(ConfigError, match="closed"):
            await client.route(EASY)
        client._client.close()

    asyncio.run(main())


def test_the_page_names_what_this_client_alone_has() -> None:
    page = (Path(__file__).parents[1] / "docs" / "sdk.md").read_text(encoding="utf-8")
    own = {name for name in set(dir(AsyncHybridClient)) - set(dir(HybridClient)) if name[0] != "_"}
    assert "aclose" in own
    assert [name for name in sorted(own) if f".{name}(" not in page] == []
