"""The controller under simulated traffic: it holds its target, and comes to rest."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from pool_fakes import pool_arms, pool_bundle
from sdk_fakes import bundle, cloud_arm, edge_arm, user

from hybridroute import Answered, ArmUnavailable, ConfigError, HybridClient, Setting
from hybridroute.controller import Controller, ControllerSettings
from hybridroute.controller_targets import Budget, Latency, Quota, Share, Target
from hybridroute.decision import Decision
from hybridroute.edge_runtime.chat import ChatRequest

REQUEST = ChatRequest(messages=tuple(user("hello")))


class World:
    """Requests at a steady rate; the share ``curve(dial)`` of them goes to the cloud."""

    def __init__(self, hold: Target, *, dial: float = 0.5, seed: int = 0, **changes: Any) -> None:
        self.setting = Setting(dial=dial)
        self.now = 0.0
        self.settings = ControllerSettings(hold=hold, **changes)
        self.controller = Controller(self.settings, self, clock=lambda: self.now)
        self.random = random.Random(seed)
        self.curve: Callable[[float], float] = lambda dial: dial
        self.waits = {"edge": 100.0, "cloud": 300.0}
        self.price = 0.001
        self.asked: list[tuple[float, bool, float]] = []

    def turn_if(self, expected: Setting, new: Setting) -> bool:
        if self.setting != expected:
            return False
        self.setting = new
        return True

    def run(self, hours: float, per_second: float = 1.0) -> None:
        ends = self.now + hours * 3600.0
        while self.now < ends:
            self.now += 1.0 / per_second
            arm = "cloud" if self.random.random() < self.curve(self.setting.value) else "edge"
            cost = self.price * self.random.uniform(0.5, 1.5) if arm == "cloud" else 0.0
            self.asked.append((self.now, arm == "cloud", cost))
            self.controller.listen(self._answered(arm, cost))

    def _answered(self, arm: str, cost: float) -> Answered:
        decision = Decision(
            arm=arm,
            model="m",
            place="cloud" if arm == "cloud" else "device",
            reason="score_below_threshold",
            mode="auto",
            score=0.5,
            score_kind="label",
            threshold=0.5,
            setting_kind="dial",
            calibrated=True,
            cost_usd=cost,
        )
        wait = self.waits[arm] * self.random.uniform(0.8, 1.2)
        return Answered(
            decision=decision,
            outcome="done",
            streamed=True,
            first_token_ms=wait,
            total_ms=wait,
            at=self.now,
            request=REQUEST,
        )

    def since(self, hours: float) -> list[tuple[float, bool, float]]:
        start = self.now - hours * 3600.0
        return [one for one in self.asked if one[0] >= start]

    def usd_per_hour(self, hours: float) -> float:
        return sum(cost for _, _, cost in self.since(hours)) / hours

    def share(self, hours: float) -> float:
        asked = self.since(hours)
        return sum(cloud for _, cloud, _ in asked) / len(asked)

    def changes(self, hours: float) -> int:
        return sum(one.at >= self.now - hours * 3600.0 for one in self.controller.history)


CURVES = {
    "straight": lambda dial: dial,
    "steep": lambda dial: min(1.0, max(0.0, (dial - 0.4) * 8)),
    "flat below": lambda dial: dial**4,
}


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES.keys())
@pytest.mark.parametrize("dial", [0.0, 1.0])
def test_a_budget_is_held_and_the_dial_comes_to_rest(
    curve: Callable[[float], float], dial: float
) -> None:
    """All-cloud would cost 3.6 USD/h."""
    world = World(Budget(usd_per_hour=1.0), dial=dial)
    world.curve = curve
    world.run(3.0)
    assert 0.65 <= world.usd_per_hour(1.5) <= 1.06
    assert world.changes(1.5) <= 12, "of 180 looks"


def test_a_quota_and_a_share_are_held() -> None:
    quota = World(Quota(cloud_requests=15, window_s=60), dial=1.0)
    quota.run(3.0)
    assert 0.7 * 0.25 <= quota.share(1.0) <= 0.27, "15 of 60 a minute"
    share = World(Share(cloud_share=0.4), dial=0.0)
    share.run(3.0)
    assert 0.32 <= share.share(1.0) <= 0.42


def test_a_failed_cloud_request_counts_whatever_its_arm_is_called() -> None:
    """Every query is the cloud arm's, which fails: the cloud was asked all the same."""
    arms = pool_arms()
    arms[0].fails = ArmUnavailable("away", arm="big")
    client, now = HybridClient(pool_bundle(), arms=arms, dial=1.0), [0.0]
    held = ControllerSettings(hold=Share(cloud_share=0.2), every_s=1.0, min_answers=5)
    client.control(held, clock=lambda: now[0])
    for _ in range(10):
        now[0] += 0.5
        answer = client.chat.completions.create(messages=user("0.1 0.5 0.9 hard"))
        assert answer.hybridroute.place == "device"
    assert client.controller is not None
    assert client.controller.history[0].measured == 1.0


def test_it_follows_when_traffic_changes() -> None:
    world = World(Budget(usd_per_hour=1.0))
    world.run(2.0)
    before = world.setting.value
    world.price *= 3
    world.run(2.0)
    assert world.setting.value < 0.6 * before
    assert world.usd_per_hour(1.0) <= 1.1
    world.price /= 3
    world.run(3.0)
    assert 0.65 <= world.usd_per_hour(1.0) <= 1.06


def test_a_target_between_two_settings_is_kept_from_below_and_rarely_tried() -> None:
    """All or nothing at 0.505: no setting gives the budget, and swinging would be no help."""
    world = World(Budget(usd_per_hour=1.0), dial=0.0)
    world.curve = lambda dial: 1.0 if dial > 0.505 else 0.0
    world.run(6.0)
    assert world.usd_per_hour(3.0) <= 1.0
    assert world.changes(3.0) <= 24, "of 360 looks"


@pytest.mark.parametrize(("slow", "up"), [("edge", True), ("cloud", False)])
def test_a_waiting_time_moves_traffic_to_the_quicker_arm(slow: str, up: bool) -> None:
    world = World(Latency(p95_ms=500.0), dial=0.5)
    world.run(0.5)
    assert world.changes(0.5) == 0, "with room to spare the dial stays where it began"
    world.waits[slow] = 2000.0
    world.run(0.5)
    assert (world.setting.value > 0.75) if up else (world.setting.value < 0.25)
    world.waits[slow] = 100.0
    world.run(1.0)
    assert world.setting == Setting(dial=0.5), "and returns to the initial setting"


def test_bounds_and_steps_are_kept() -> None:
    world = World(Budget(usd_per_hour=0.001), dial=0.9, lowest=0.2, highest=0.9)
    world.run(1.0)
    assert world.setting == Setting(dial=0.2)
    values = [0.9, *(one.after.value for one in world.controller.history)]
    assert all(abs(a - b) <= 0.1 + 1e-9 for a, b in pairwise(values))
    times = [one.at for one in world.controller.history]
    assert all(b - a >= 30.0 for a, b in pairwise(times))


def test_every_change_has_its_cause(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="hybridroute")
    world = World(Budget(usd_per_hour=1.0), dial=0.8)
    world.run(0.05)
    first = world.controller.history[0]
    assert (first.before, first.target) == (Setting(dial=0.8), 1.0)
    assert first.measured is not None
    assert first.measured > 1.0
    assert "USD/h is over 1" in first.cause
    assert f"dial 0.8 -> {first.after}" in caplog.text


def test_the_same_traffic_gives_the_same_history() -> None:
    def history() -> Any:
        world = World(Budget(usd_per_hour=1.0), dial=1.0)
        world.run(1.0)
        return world.controller.history

    assert history() == history()


def test_who_else_turns_the_dial_is_noticed_and_not_fought() -> None:
    world = World(Share(cloud_share=0.5), dial=0.5)
    world.run(0.5)
    world.setting = Setting(threshold=0.7)
    world.run(0.5)
    assert world.setting == Setting(threshold=0.7), "no dial: it stands aside"
    assert world.controller.history[-1].cause == "set by the application"
    world.setting = Setting(cost_advantage=0.9)
    world.curve = lambda edge: 1.0 - edge
    world.run(2.0)
    assert world.setting.cost_advantage == pytest.approx(0.5, abs=0.12)


def test_the_history_is_bounded() -> None:
    world = World(Share(cloud_share=0.5))
    world.controller = Controller(world.settings, world, clock=lambda: world.now, kept=3)
    for number in range(10):
        world.setting = Setting(dial=number / 10)
        world.run(0.001)
    assert len(world.controller.history) == 3


def test_a_client_has_one_when_asked() -> None:
    client = HybridClient(bundle(), edge=edge_arm(), cloud=cloud_arm(), dial=0.5)
    assert client.controller is None
    now = [0.0]
    held = ControllerSettings(hold=Share(cloud_share=0.2), every_s=1.0, min_answers=5)
    client.control(held, clock=lambda: now[0])
    assert client.controller is not None
    for _ in range(30):
        now[0] += 0.5
        client.chat.completions.create(messages=user("0.01 hard"))
    assert client.dial is not None
    assert client.dial < 0.5
    assert client.controller.history
    client.control(None)
    before = client.dial
    for _ in range(30):
        now[0] += 0.5
        client.chat.completions.create(messages=user("0.01 hard"))
    assert (client.controller, client.dial) == (None, before)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lowest": 0.5, "highest": 0.5}, "lowest"),
        ({"min_step": 0.2}, "min_step"),
        ({"band": 1.0}, "band"),
        ({"every_s": 0.0}, "every_s"),
        ({"window_s": 1.0}, "window_s"),
        ({"min_answers": 0}, "min_answers"),
        ({"hold": 0.5}, "hold is a float"),
    ],
)
def test_wrong_settings(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ControllerSettings(**{"hold": Share(cloud_share=0.5), **changes})
