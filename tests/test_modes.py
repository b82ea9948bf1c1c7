"""The modes: what each allows, what it prefers, and what a request may make of it."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest
from sdk_fakes import cloud_arm, edge_arm

from hybridroute.decision import Mode, Reason
from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.modes import (
    REASON_OF_MODE,
    checked_mode,
    narrowed_mode,
    preferred_arms,
    serves_mode,
)

MODES: tuple[Mode, ...] = get_args(Mode)
ARMS = (edge_arm(), cloud_arm())


def allowed(mode: Mode) -> set[str]:
    return {arm.name for arm in ARMS if serves_mode(arm, mode)}


def test_every_mode_is_one() -> None:
    assert [checked_mode(mode) for mode in MODES] == list(MODES)


@pytest.mark.parametrize("bad", ["", "AUTO", "auto ", "only_on_edge", None, 1, ["auto"], {}])
def test_what_is_no_mode_is_refused_with_all_that_are(bad: Any) -> None:
    with pytest.raises(ConfigError, match="mode is .*; use one of auto, only_on_device") as caught:
        checked_mode(bad)
    assert caught.value.param == "mode"
    assert all(mode in str(caught.value) for mode in MODES)


def test_only_forbids_and_prefer_does_not() -> None:
    assert {mode: allowed(mode) for mode in MODES} == {
        "auto": {"edge", "cloud"},
        "only_on_device": {"edge"},
        "only_in_cloud": {"cloud"},
        "prefer_on_device": {"edge", "cloud"},
        "prefer_in_cloud": {"edge", "cloud"},
    }


def test_it_is_the_place_that_counts_and_not_the_name() -> None:
    arm = edge_arm(name="cloud")
    assert serves_mode(arm, "only_on_device")
    assert not serves_mode(arm, "only_in_cloud")
    assert preferred_arms([arm], "prefer_on_device") == [arm]


def test_the_preferred_arms_keep_their_order() -> None:
    second = edge_arm(name="second")
    capable = [second, cloud_arm(), edge_arm()]
    found = {mode: [arm.name for arm in preferred_arms(capable, mode)] for mode in MODES}
    assert found == {
        "auto": [],
        "only_on_device": ["second", "edge"],
        "only_in_cloud": ["cloud"],
        "prefer_on_device": ["second", "edge"],
        "prefer_in_cloud": ["cloud"],
    }


@pytest.mark.parametrize(("of", "wanted"), list(product(MODES, MODES)))
def test_a_request_may_narrow_and_never_widen(of: Mode, wanted: Mode) -> None:
    if allowed(wanted) <= allowed(of):
        assert narrowed_mode(of, wanted) == wanted
        return
    with pytest.raises(ConfigError, match=f"mode is '{wanted}', but this client is '{of}'") as said:
        narrowed_mode(of, wanted)
    assert said.value.param == "mode"


def test_every_mode_but_auto_is_a_reason() -> None:
    assert set(REASON_OF_MODE) == set(MODES) - {"auto"}
    assert set(REASON_OF_MODE.values()) <= set(get_args(Reason))
    assert all(reason == f"mode_{mode}" for mode, reason in REASON_OF_MODE.items())
