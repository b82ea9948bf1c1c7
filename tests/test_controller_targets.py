"""What a controller may hold: each target's reading of the samples."""

from __future__ import annotations

from typing import Any

import pytest

from hybridroute import ConfigError
from hybridroute.controller_targets import Budget, Latency, Quota, Sample, Share, Target


def _sample(**changes: Any) -> Sample:
    return Sample(**{"at": 0.0, "asked_cloud": True, "cost_usd": 0.0, "wait_ms": None, **changes})


@pytest.mark.parametrize(
    ("target", "measured", "unit"),
    [
        (Budget(usd_per_hour=1.0), 0.3, "USD/h"),
        (Quota(cloud_requests=1, window_s=60), 2.5, "cloud requests in 60 s"),
        (Share(cloud_share=0.5), 0.75, "of requests to the cloud"),
    ],
)
def test_four_requests_in_72_seconds(target: Target, measured: float, unit: str) -> None:
    samples = [_sample(cost_usd=0.002)] * 3 + [_sample(asked_cloud=False)]
    reading = target.read(samples, 72.0)
    assert reading is not None
    assert (reading.measured, reading.unit) == (pytest.approx(measured), unit)
    assert reading.noise > 0.0


def test_the_95th_percentile_is_one_of_the_waits() -> None:
    reading = Latency(p95_ms=800.0).read([_sample(wait_ms=float(ms)) for ms in range(1, 21)], 1.0)
    assert reading is not None
    assert reading.measured == 19.0


def test_wrong_targets() -> None:
    for make in (
        lambda: Budget(usd_per_hour=0.0),
        lambda: Quota(cloud_requests=-1),
        lambda: Quota(cloud_requests=1, window_s=float("inf")),
        lambda: Share(cloud_share=1.5),
        lambda: Latency(p95_ms=True),
    ):
        with pytest.raises(ConfigError):
            make()


def test_whole_answers_are_waited_for_to_their_end() -> None:
    samples = [_sample(wait_ms=900.0)] * 30
    reading = Latency(p95_ms=800.0).read(samples, 1.0)
    assert reading is not None
    assert (reading.measured, reading.unit) == (900.0, "ms of waiting (p95)")


def test_too_few_first_tokens_say_nothing() -> None:
    samples = [_sample()] * 30
    assert Latency(p95_ms=1.0).read(samples, 1.0) is None
