"""The setting in force, and the properties by which an application turns it."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from hybridroute.answered import Listeners
from hybridroute.controller import Controller, ControllerSettings
from hybridroute.expectation import Expectation
from hybridroute.policy import ActiveSetting, Policy
from hybridroute.promise import Promise
from hybridroute.setting import Setting, checked_setting, setting_from


class Turning:
    """A policy and the setting in force, swapped as one object. Safe to turn from several threads.

    Parameters
    ----------
    policy : Policy
    wanted : Setting or None
        None takes the policy's default.
    """

    def __init__(self, policy: Policy, wanted: Setting | None) -> None:
        self.policy = policy
        self.listeners = Listeners()
        self.controller: Controller | None = None
        self.active = policy.activate(wanted or policy.default)
        self._turns = Lock()
        # Apart from the other: a controller that is being ended may be about to turn.
        self._controls = Lock()

    def turn(self, setting: Setting) -> None:
        """Put a setting in force; one that the bundle cannot take leaves the old one."""
        active = self.policy.activate(setting)
        with self._turns:
            self.active = active

    def turn_if(self, expected: Setting, new: Setting) -> bool:
        """As ``turn``, unless another than the expected setting is in force; whether it was."""
        active = self.policy.activate(new)
        with self._turns:
            if self.active.setting != expected:
                return False
            self.active = active
            return True

    def control(self, make: Callable[[], Controller] | None) -> None:
        """Put the controller that ``make`` gives in the place of the one at work; None ends it."""
        with self._controls:
            old = self.controller
            if old is not None:
                self.listeners.remove(old.listen)
                old.end()
            self.controller = None if make is None else make()
            if self.controller is not None:
                self.listeners.add(self.controller.listen)

    def for_request(self, setting: Setting | None) -> ActiveSetting:
        """The setting of one request: its own, or the one in force."""
        return self.active if setting is None else self.policy.activate(setting)


class Turnable:
    """What clients share: the setting, read and assigned in any of its forms."""

    def __init__(self, turning: Turning) -> None:
        self._turning = turning

    @property
    def listeners(self) -> Listeners:
        """Those who are told of every finished request, as an :class:`Answered`."""
        return self._turning.listeners

    @property
    def controller(self) -> Controller | None:
        """What moves the dial, if anything does; its ``history`` says when and why."""
        return self._turning.controller

    def control(
        self,
        settings: ControllerSettings | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Have a controller hold a target from now on; None ends it. At most one is at work."""
        turning = self._turning
        turning.control(
            None if settings is None else lambda: Controller(settings, self, clock=clock)
        )

    @property
    def calibrated(self) -> bool:
        """Whether the configured arms are the ones the bundle was calibrated for."""
        return self._turning.policy.calibrated

    @property
    def setting(self) -> Setting:
        """The setting in force. Assigning one, here or to the three below, acts at once.

        A request sees the old setting or the new one, never a mixture. Requests under way keep
        the one they began with.
        """
        return self._turning.active.setting

    @setting.setter
    def setting(self, value: Setting) -> None:
        self._turning.turn(checked_setting(value))

    def turn_if(self, expected: Setting, new: Setting) -> bool:
        """Put ``new`` in force if ``expected`` still is, as one step; False if it is not.

        For whoever turns by what was read before, as the controller does: a turn that came in
        between is kept. Raises ConfigError where the bundle cannot take ``new``.
        """
        return self._turning.turn_if(expected, new)

    @property
    def dial(self) -> float | Promise | None:
        """The quality dial in [0, 1], or a promise; None while it is said in another way."""
        setting = self.setting
        return setting.dial if setting.promise is None else setting.promise

    @dial.setter
    def dial(self, value: float | Promise) -> None:
        said = Setting(promise=value) if isinstance(value, Promise) else Setting(dial=value)
        self._turning.turn(said)

    @property
    def threshold(self) -> float | None:
        """The threshold in force, however it was said: the edge answers if score >= threshold.

        None for a pool, which has no threshold.
        """
        return self._turning.active.threshold

    @threshold.setter
    def threshold(self, value: float) -> None:
        self._turning.turn(Setting(threshold=value))

    @property
    def cost_advantage(self) -> float | None:
        """The share of queries for the edge; None while the setting is said in another way."""
        return self.setting.cost_advantage

    @cost_advantage.setter
    def cost_advantage(self, value: float) -> None:
        self._turning.turn(Setting(cost_advantage=value))

    def expect(
        self,
        *,
        dial: float | Promise | None = None,
        threshold: float | None = None,
        cost_advantage: float | None = None,
        setting: Setting | None = None,
    ) -> Expectation:
        """What a setting is expected to cost and to lose; the one in force if none is given.

        Raises
        ------
        ConfigError
            If several are given, or the bundle cannot say what the setting means.
        """
        asked = setting_from(
            dial=dial, threshold=threshold, cost_advantage=cost_advantage, setting=setting
        )
        return self._turning.policy.expect(asked or self.setting)
