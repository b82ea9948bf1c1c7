"""What a controller may hold: a budget, a cloud quota, a cloud share, a waiting time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.quantile import quantile

Direction = Literal["to the cloud", "to the edge", "home"]

_FEW = 5
_SLOW = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a controller keeps of one finished request."""

    at: float
    asked_cloud: bool
    cost_usd: float
    wait_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One measurement against its target.

    Parameters
    ----------
    measured, target : float
    noise : float
        The standard error of ``measured``, as chance alone would move it.
    unit : str
    over : Direction
        Where to send traffic while ``measured`` is over ``target``.
    under : Direction
        Where to send it while there is room.
    """

    measured: float
    target: float
    unit: str
    noise: float = 0.0
    over: Direction = "to the edge"
    under: Direction = "to the cloud"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """US dollars an hour, as a running average. It needs prices; see ``CloudSettings``."""

    usd_per_hour: float

    def __post_init__(self) -> None:
        _check_positive("usd_per_hour", self.usd_per_hour)

    def read(self, samples: Sequence[Sample], seconds: float) -> Reading | None:
        """What was spent, as a rate."""
        hourly = 3600.0 / seconds
        return Reading(
            measured=hourly * sum(sample.cost_usd for sample in samples),
            noise=hourly * math.sqrt(sum(sample.cost_usd**2 for sample in samples)),
            target=self.usd_per_hour,
            unit="USD/h",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Cloud requests in every ``window_s`` seconds, as a running average."""

    cloud_requests: float
    window_s: float = 60.0

    def __post_init__(self) -> None:
        _check_positive("cloud_requests", self.cloud_requests)
        _check_positive("window_s", self.window_s)

    def read(self, samples: Sequence[Sample], seconds: float) -> Reading | None:
        """How many went to the cloud, as a rate."""
        asked = sum(sample.asked_cloud for sample in samples)
        return Reading(
            measured=asked / seconds * self.window_s,
            noise=math.sqrt(asked) / seconds * self.window_s,
            target=self.cloud_requests,
            unit=f"cloud requests in {self.window_s:g} s",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The share of requests that go to the cloud, above 0 and at most 1."""

    cloud_share: float

    def __post_init__(self) -> None:
        _check_positive("cloud_share", self.cloud_share, most=1.0)

    def read(self, samples: Sequence[Sample], seconds: float) -> Reading | None:  # noqa: ARG002
        """The share so far."""
        share = sum(sample.asked_cloud for sample in samples) / len(samples)
        return Reading(
            measured=share,
            noise=math.sqrt(share * (1.0 - share) / len(samples)),
            target=self.cloud_share,
            unit="of requests to the cloud",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """The 95th percentile of the wait for an answer, in milliseconds; see :attr:`Answered.wait_ms`.

    A stream is waited for until its first token, a whole answer until it is there.

    While it is too long, traffic goes to the arm that is quicker; with room to spare the dial goes
    back to where it stood when the controller began.
    """

    p95_ms: float

    def __post_init__(self) -> None:
        _check_positive("p95_ms", self.p95_ms)

    def read(self, samples: Sequence[Sample], seconds: float) -> Reading | None:  # noqa: ARG002
        """The percentile; None where too few requests were answered."""
        cloud = [one.wait_ms for one in samples if one.asked_cloud and one.wait_ms is not None]
        edge = [one.wait_ms for one in samples if not one.asked_cloud and one.wait_ms is not None]
        if len(cloud) + len(edge) < _FEW:
            return None
        if min(len(cloud), len(edge)) < _FEW:
            edge_is_slower = len(edge) > len(cloud)  # nothing is known of the other: try it
        else:
            edge_is_slower = quantile(edge, _SLOW) > quantile(cloud, _SLOW)
        return Reading(
            measured=quantile([*cloud, *edge], _SLOW),
            target=self.p95_ms,
            unit="ms of waiting (p95)",
            over="to the cloud" if edge_is_slower else "to the edge",
            under="home",
        )


Target = Budget | Quota | Share | Latency


def _check_positive(name: str, value: float, most: float = math.inf) -> None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0.0 < value <= most:
        limit = "" if most == math.inf else f" and at most {most:g}"
        raise ConfigError(f"{name} is {value!r}; give a finite number above 0{limit}")
