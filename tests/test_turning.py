"""Turning: the setting, swapped as one; who turns by what was read before overwrites nobody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Thread

import pytest
from sdk_fakes import bundle, cloud_arm, edge_arm, user

from hybridroute import Answered, ConfigError, ControllerSettings, HybridClient, Setting, Share
from hybridroute.controller_targets import Reading, Sample

HELD = ControllerSettings(hold=Share(cloud_share=0.2), every_s=1.0, min_answers=5)
WAIT_S = 10.0


def _client() -> HybridClient:
    return HybridClient(bundle(), edge=edge_arm(), cloud=cloud_arm(), dial=0.5)


def test_turn_if_acts_only_on_what_was_expected() -> None:
    client = _client()
    assert client.turn_if(Setting(dial=0.5), Setting(dial=0.6))
    assert client.dial == 0.6
    assert not client.turn_if(Setting(dial=0.5), Setting(dial=0.7))
    assert client.dial == 0.6
    with pytest.raises(ConfigError):
        client.turn_if(Setting(dial=0.6), Setting(budget_usd=1.0))
    assert client.dial == 0.6


def test_of_turns_by_what_was_read_none_is_lost() -> None:
    client, each = _client(), 100
    client.dial = 0.0

    def raise_it() -> None:
        for _ in range(each):
            turned = False
            while not turned:
                before = client.setting
                turned = client.turn_if(before, Setting(dial=round(before.value + 0.001, 3)))

    threads = [Thread(target=raise_it) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert client.dial == round(4 * each * 0.001, 3)


def _share_and(act: Callable[[], None]) -> Share:
    """A target that acts once, after the controller read the setting and before it turns it."""
    todo = [act]

    class Acting(Share):
        def read(self, samples: Sequence[Sample], seconds: float) -> Reading | None:
            if todo:
                todo.pop()()
            return super().read(samples, seconds)

    return Acting(cloud_share=0.2)


def _asked(client: HybridClient, requests: int) -> None:
    for _ in range(requests):
        client.chat.completions.create(messages=user("0.01 hard"))


def test_the_controller_does_not_overwrite_a_turn_that_came_in_between() -> None:
    client, now = _client(), iter(range(1000))
    hold = _share_and(lambda: setattr(client, "dial", 0.9))
    held = ControllerSettings(hold=hold, every_s=5.0, min_answers=5)
    client.control(held, clock=lambda: float(next(now)))
    _asked(client, 5)
    assert client.dial == 0.9
    assert client.controller is not None
    [change] = client.controller.history
    assert (change.cause, change.target) == ("set by the application", None)
    _asked(client, 6)
    assert client.dial == pytest.approx(0.8), "and goes on from there"


def test_a_controller_that_was_ended_turns_nothing() -> None:
    """Also where it was told of a request just before."""
    client, seen = _client(), list[Answered]()
    client.listeners.add(seen.append)
    now = [0.0]
    client.control(HELD, clock=lambda: now[0])
    old = client.controller
    assert old is not None
    _asked(client, 10)
    client.control(None)
    now[0] = 100.0
    for one in seen:
        old.listen(one)
    assert client.dial == 0.5


def test_of_two_controllers_made_at_once_one_is_at_work() -> None:
    client, now = _client(), [0.0]
    other = Thread(target=lambda: client.control(HELD, clock=lambda: now[0]))

    def clock() -> float:
        if not other.ident:
            other.start()
            other.join(0.1)
        return now[0]

    client.control(HELD, clock=clock)
    other.join(WAIT_S)
    client.control(None)
    for _ in range(10):
        now[0] += 0.5
        _asked(client, 1)
    assert client.dial == 0.5, "nothing is left at work"


class _Slow:
    """A listener; while it is compared with another, it lets ``meanwhile`` have its turn."""

    def __init__(self, meanwhile: Thread) -> None:
        self._meanwhile = meanwhile

    def __call__(self, answered: Answered) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        if not self._meanwhile.ident:
            self._meanwhile.start()
            self._meanwhile.join(0.1)
        return self is other

    def __hash__(self) -> int:
        return id(self)


def test_a_listener_that_is_added_while_another_goes_is_kept() -> None:
    client, told = _client(), Event()
    adding = Thread(target=lambda: client.listeners.add(lambda _: told.set()))
    slow = _Slow(adding)
    client.listeners.add(slow)
    client.listeners.remove(slow)
    adding.join(WAIT_S)
    _asked(client, 1)
    assert told.is_set()
