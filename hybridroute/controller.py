"""Moves the dial so that a target is held: in small bounded steps, each with its cause."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Protocol

from hybridroute.answered import Answered
from hybridroute.controller_targets import Direction, Reading, Sample, Target
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.setting import Setting

_log = logging.getLogger(__name__)

_MOST_SAMPLES = 10_000
_LONGEST_REST = 64
_LONG_WAY = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    """How a controller holds its target.

    Parameters
    ----------
    hold : Budget, Quota, Share or Latency
    lowest, highest : float
        The dial stays between them.
    max_step, min_step : float
        The largest and the smallest change at a time.
    every_s : float
        Seconds between two changes, at least.
    min_answers : int
        Requests that must have finished since the last change.
    window_s : float
        The measurement looks back to the last change, at most so far.
    band : float
        In (0, 1). Nothing is changed while the measurement, give or take its standard error, is
        between (1 - band) of the target and the target.

    Raises
    ------
    ConfigError
        If a number is out of range.
    """

    hold: Target
    lowest: float = 0.0
    highest: float = 1.0
    max_step: float = 0.1
    min_step: float = 0.01
    every_s: float = 30.0
    min_answers: int = 20
    window_s: float = 600.0
    band: float = 0.15

    def __post_init__(self) -> None:
        if not isinstance(self.hold, Target):
            raise ConfigError(
                f"hold is a {type(self.hold).__name__}; give a Budget, Quota, Share or Latency"
            )
        if not 0.0 <= self.lowest < self.highest <= 1.0:
            raise ConfigError(
                f"lowest is {self.lowest!r} and highest {self.highest!r}; give 0 <= lowest < "
                "highest <= 1"
            )
        if not 0.0 < self.min_step <= self.max_step <= 1.0:
            raise ConfigError(
                f"min_step is {self.min_step!r} and max_step {self.max_step!r}; give 0 < min_step "
                "<= max_step <= 1"
            )
        if not 0.0 < self.band < 1.0:
            raise ConfigError(f"band is {self.band!r}; give a number between 0 and 1")
        if not (self.every_s > 0 and self.window_s >= self.every_s and self.min_answers >= 1):
            raise ConfigError(
                f"every_s is {self.every_s!r}, window_s {self.window_s!r}, min_answers "
                f"{self.min_answers!r}; give every_s above 0, window_s no less, min_answers from 1"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class DialChange:
    """One change of the setting.

    Parameters
    ----------
    at : float
        When, by the controller's clock.
    before, after : Setting
    cause : str
        Why, in words.
    measured, target : float or None
        The figures behind it; None where somebody else turned the dial.
    """

    at: float
    before: Setting
    after: Setting
    cause: str
    measured: float | None = None
    target: float | None = None


class Turned(Protocol):
    """What has a setting that others may turn as well; a client is one."""

    @property
    def setting(self) -> Setting:
        """The one in force."""
        ...

    def turn_if(self, expected: Setting, new: Setting) -> bool:
        """Put ``new`` in force if ``expected`` still is, as one step; whether it was."""
        ...


class Controller:
    """Listens to finished requests and turns the dial. Safe to call from several threads.

    It turns ``dial``, or ``cost_advantage`` where the setting is said so; while the setting is said
    in another way it stands aside. It acts when a request finishes, so it has no thread, and by an
    injected clock it is deterministic.

    A change of direction halves the step, a long way in one direction lengthens it. A try that has
    to be taken back makes the next one come later, so where the target lies between two
    neighbouring settings it stays on the one that keeps the target.

    Parameters
    ----------
    settings : ControllerSettings
    turned : Turned
    clock : callable
        Seconds that never go back.
    kept : int
        Changes kept in ``history``.
    """

    def __init__(
        self,
        settings: ControllerSettings,
        turned: Turned,
        *,
        clock: Callable[[], float] = time.monotonic,
        kept: int = 1000,
    ) -> None:
        self.settings = settings
        self._turned, self._clock = turned, clock
        self._samples: deque[Sample] = deque(maxlen=_MOST_SAMPLES)
        self._history: deque[DialChange] = deque(maxlen=kept)
        self._lock = Lock()
        self._seen = turned.setting
        self._home = _level_of(self._seen)
        self._ended = False
        self._since = self._looked = clock()
        self._step = settings.max_step
        self._last = self._run = 0
        self._rest, self._resting = 0, 0

    @property
    def history(self) -> tuple[DialChange, ...]:
        """The changes, oldest first."""
        return tuple(self._history)

    def listen(self, answered: Answered) -> None:
        """Note one finished request, and turn the dial if it is time."""
        decision = answered.decision
        sample = Sample(
            at=self._clock(),
            asked_cloud="cloud" in (decision.place, decision.fallback_from_place),
            cost_usd=decision.cost_usd or 0.0,
            wait_ms=answered.wait_ms,
        )
        with self._lock:
            if self._ended:
                return
            self._samples.append(sample)
            self._act(sample.at)

    def end(self) -> None:
        """Turn nothing from now on; waits for a turn under way."""
        with self._lock:
            self._ended = True

    def _act(self, now: float) -> None:
        self._notice_others(now)
        if now - self._looked < self.settings.every_s:
            return
        self._looked = now
        from_ = max(self._since, now - self.settings.window_s)
        while self._samples and self._samples[0].at < from_:
            self._samples.popleft()
        level = _level_of(self._seen)
        if level is None or len(self._samples) < self.settings.min_answers:
            return
        reading = self.settings.hold.read(tuple(self._samples), now - from_)
        if reading is not None:
            self._steer(level, reading, now)

    def _notice_others(self, now: float) -> None:
        setting = self._turned.setting
        if setting == self._seen:
            return
        self._history.append(
            DialChange(at=now, before=self._seen, after=setting, cause="set by the application")
        )
        self._home = _level_of(setting)
        self._forget(now)
        self._seen, self._step = setting, self.settings.max_step
        self._last = self._run = self._rest = self._resting = 0

    def _steer(self, level: float, reading: Reading, now: float) -> None:
        if reading.measured - reading.noise > reading.target:
            last, wanted = self._last, self._towards(level, reading.over)
            if last and last == -self._last:
                # A try is taken back: the next one comes later, and ever later.
                self._rest = min(max(1, 2 * self._rest), _LONGEST_REST)
                self._resting = self._rest
            cause = f"{reading.measured:.4g} {reading.unit} is over {reading.target:.4g}"
        elif reading.measured + reading.noise < reading.target * (1.0 - self.settings.band):
            if self._resting > 0:
                self._resting -= 1
                self._forget(now)
                return
            wanted = self._towards(level, reading.under)
            cause = f"{reading.measured:.4g} {reading.unit} leaves room under {reading.target:.4g}"
        else:
            return
        if wanted != level:
            self._turn(wanted, cause, reading, now)

    def _towards(self, level: float, direction: Direction) -> float:
        held = self.settings
        if direction == "home":
            goal = level if self._home is None else self._home
        else:
            goal = held.highest if direction == "to the cloud" else held.lowest
        goal = min(max(goal, held.lowest), held.highest)
        sign = (goal > level) - (goal < level)
        if sign == 0:
            return level
        self._adapt(sign)
        return goal if abs(goal - level) <= self._step else level + sign * self._step

    def _adapt(self, sign: int) -> None:
        """Halve the step at a change of direction, lengthen it on a long way."""
        held = self.settings
        self._run = self._run + 1 if self._last == sign else 1
        if self._last == -sign:
            self._step = max(self._step / 2.0, held.min_step)
        elif self._run >= _LONG_WAY:
            self._step = min(self._step * 1.5, held.max_step)
            self._rest = 0
        self._last = sign

    def _turn(self, wanted: float, cause: str, reading: Reading, now: float) -> None:
        before = self._seen
        after = _setting_at(round(wanted, 4), before)
        if not self._turned.turn_if(before, after):
            self._notice_others(now)
            return
        self._seen = after
        self._forget(now)
        self._history.append(
            DialChange(
                at=now,
                before=before,
                after=after,
                cause=cause,
                measured=reading.measured,
                target=reading.target,
            )
        )
        _log.info("%s -> %s: %s", before, after, cause)

    def _forget(self, now: float) -> None:
        """Measure anew: what was under another setting says nothing of this one."""
        self._samples.clear()
        self._since = self._looked = now


def _level_of(setting: Setting) -> float | None:
    """How far the setting is turned to the cloud; None where it is no dial."""
    if setting.dial is not None:
        return setting.dial
    return None if setting.cost_advantage is None else 1.0 - setting.cost_advantage


def _setting_at(level: float, like: Setting) -> Setting:
    if like.dial is not None:
        return Setting(dial=level)
    return Setting(cost_advantage=round(1.0 - level, 4))
