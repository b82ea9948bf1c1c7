"""Every finished request is reported once, with its arm, times, tokens and cost."""

from __future__ import annotations

import gc
import time
from dataclasses import replace
from typing import Any

import pytest
from sdk_fakes import answer, bundle, chunk, cloud_arm, edge_arm, user

from hybridroute import Answered, ChatStream, HybridClient
from hybridroute.edge_runtime.chat import Completion, Usage
from hybridroute.edge_runtime.errors import ArmUnavailable, StreamInterrupted
from hybridroute.edge_runtime.prices import Prices

EASY, HARD = user("0.95 easy"), user("0.05 hard")
USAGE = Usage(prompt_tokens=1000, completion_tokens=500, total_tokens=1500)
PRICES = Prices(in_usd_per_million=2.0, out_usd_per_million=8.0)


def _counting(arm: Any, prices: Prices | None = None) -> Any:
    """The arm, with token counts in its answers and prices."""
    plain = arm.complete

    def complete(request: Any) -> Completion:
        return replace(plain(request), usage=USAGE)

    arm.complete = complete
    arm.script = [*answer("a", "b"), replace(chunk(), choices=(), usage=USAGE)]
    if prices is not None:
        arm.prices = prices
    return arm


def _client(**given: Any) -> tuple[HybridClient, list[Answered]]:
    held = {"edge": _counting(edge_arm()), "cloud": _counting(cloud_arm(), PRICES), **given}
    client = HybridClient(bundle(), threshold=0.5, **held)
    told: list[Answered] = []
    client.listeners.add(told.append)
    return client, told


@pytest.mark.parametrize("stream", [False, True])
def test_cost_and_saving(stream: bool) -> None:
    client, told = _client()

    def ask(messages: Any) -> Any:
        got = client.chat.completions.create(messages=messages, stream=stream)
        if not isinstance(got, ChatStream):
            return got.hybridroute
        # The chunk of counts is for those who ask for it; the stream's own decision has the cost.
        assert list(got)[-1].hybridroute.cost_usd is None
        return got.decision

    easy, hard = ask(EASY), ask(HARD)
    cost = (1000 * 2.0 + 500 * 8.0) / 1e6
    assert (easy.cost_usd, easy.saved_usd) == (0.0, pytest.approx(cost))
    assert (hard.cost_usd, hard.saved_usd) == (pytest.approx(cost), 0.0)
    assert not easy.usage_estimated
    assert [one.decision.id for one in told] == [easy.id, hard.id]
    assert {(one.outcome, one.usage, one.streamed) for one in told} == {("done", USAGE, stream)}
    assert all(one.total_ms >= (one.wait_ms or 0.0) > 0.0 for one in told)
    assert all(abs(one.at - time.time()) < 60 for one in told)


def test_without_prices_nothing_is_claimed() -> None:
    client, _ = _client(cloud=_counting(cloud_arm()))
    ask = client.chat.completions.create
    easy, hard = ask(messages=EASY).hybridroute, ask(messages=HARD).hybridroute
    assert (easy.cost_usd, easy.saved_usd) == (0.0, None)
    assert (hard.cost_usd, hard.saved_usd) == (None, None)


def test_tokens_nobody_counted_are_estimated_and_said_to_be() -> None:
    client, told = _client(cloud=cloud_arm(script=answer("four" * 10)))
    client._costs.prices["cloud"] = PRICES
    last = list(client.chat.completions.create(messages=HARD, stream=True))[-1]
    assert last.hybridroute.cost_usd is None, "the end was not known with the last chunk"
    decision, usage = told[0].decision, told[0].usage
    assert decision.usage_estimated
    assert usage is not None
    assert (usage.prompt_tokens, usage.completion_tokens) == (3 + 4 + 3, 10)
    assert decision.cost_usd == pytest.approx(PRICES.cost_usd(usage))


def test_a_stream_left_early_is_cancelled_and_still_costs() -> None:
    client, told = _client()
    with client.chat.completions.create(messages=HARD, stream=True) as stream:
        next(stream)
    stream.close()
    dropped = client.chat.completions.create(messages=HARD, stream=True)
    next(dropped)
    del dropped
    gc.collect()
    assert len(told) == 1, "a finalizer only leaves word"
    client.chat.completions.create(messages=EASY)
    assert [one.outcome for one in told] == ["cancelled", "cancelled", "done"]
    assert all(one.decision.usage_estimated for one in told[:2])
    assert all(one.decision.cost_usd for one in told[:2])


def test_a_stream_nobody_began_is_no_answer() -> None:
    client, told = _client()
    stream = client.chat.completions.create(messages=HARD, stream=True)
    del stream
    gc.collect()
    client.listeners.catch_up()
    assert told == []


def test_failures_are_reported_by_kind_alone() -> None:
    broken = cloud_arm(script=[chunk("Hal"), StreamInterrupted("secret", arm="cloud")])
    client, told = _client(edge=edge_arm(fails=ArmUnavailable("secret", arm="edge")), cloud=broken)
    with pytest.raises(StreamInterrupted):
        list(client.chat.completions.create(messages=HARD, stream=True))
    broken.fails = ArmUnavailable("secret", arm="cloud")
    with pytest.raises(ArmUnavailable):
        client.chat.completions.create(messages=EASY)
    assert [(one.outcome, one.error) for one in told] == [
        ("failed", "StreamInterrupted"),
        ("failed", "ArmUnavailable"),
    ]
    assert told[1].usage is None
    assert told[1].wait_ms is None


def test_a_listener_that_fails_harms_nobody() -> None:
    client, told = _client()

    def broken(answered: Answered) -> None:
        raise ZeroDivisionError

    client.listeners.remove(told.append)
    client.listeners.add(broken)
    client.listeners.add(told.append)
    assert client.chat.completions.create(messages=EASY).hybridroute.arm == "edge"
    assert len(told) == 1
    assert "easy" not in repr(told[0])
