"""Setting: one of three, a finite number, in range."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.setting import Setting, setting_from


@pytest.mark.parametrize("name", ["dial", "threshold", "cost_advantage"])
@pytest.mark.parametrize(
    "bad", [-0.001, 1.011, math.nan, math.inf, -math.inf, True, "0.5", 10**400, np.bool_(True), [1]]
)
def test_refuses_what_is_no_number_in_range(name: str, bad: object) -> None:
    with pytest.raises(ConfigError, match=name) as caught:
        Setting(**{name: bad})
    assert caught.value.param == name


@pytest.mark.parametrize("name", ["dial", "cost_advantage"])
def test_only_a_threshold_may_pass_one(name: str) -> None:
    assert Setting(threshold=1.01).value == 1.01
    with pytest.raises(ConfigError, match="from 0 to 1"):
        Setting(**{name: 1.005})


@pytest.mark.parametrize("number", [0, 1, 0.25, np.float32(0.5), np.int64(1)])
def test_any_real_number_becomes_a_float(number: float) -> None:
    setting = Setting(dial=number)
    assert setting.kind == "dial"
    assert type(setting.dial) is float
    assert setting.value == float(number)


def test_exactly_one() -> None:
    ways = "dial, threshold, cost_advantage, cost_weight, budget_usd, promise"
    with pytest.raises(ConfigError, match=f"give one of {ways}, not none of them"):
        Setting()
    with pytest.raises(ConfigError, match="dial and threshold"):
        Setting(dial=0.5, threshold=0.5)
    with pytest.raises(ConfigError, match="not dial and cost_advantage"):
        setting_from(dial=0.0, cost_advantage=0.0)


def test_setting_from_takes_nothing_as_none() -> None:
    assert setting_from() is None
    assert setting_from(dial=0.0) == Setting(dial=0.0)


def test_reads_as_what_was_asked() -> None:
    assert str(Setting(cost_advantage=0.25)) == "cost_advantage 0.25"
