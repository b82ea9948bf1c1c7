"""The policy of a bundle, and that both kinds are what the seam says a policy is."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from pool_fakes import NAMES, pool_manifest
from sdk_fakes import CLOUD_MODEL, EDGE_MODEL, manifest

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.policy import ActiveSetting, Policy, policy_of
from hybridroute.pool_policy import PoolPolicy
from hybridroute.promise import Promise
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy

PAIR = {"edge": EDGE_MODEL, "cloud": CLOUD_MODEL}
POOL = {name: f"{name}-1" for name in NAMES}


def pair(**models: str) -> Policy:
    return policy_of(manifest(), {**PAIR, **models}, out_of_scope_arm="cloud")


def pool(**models: str) -> Policy:
    return policy_of(pool_manifest(), {**POOL, **models}, out_of_scope_arm="big")


def test_two_arms_go_by_a_threshold_and_a_pool_by_utility() -> None:
    assert isinstance(pair(), ThresholdPolicy)
    assert isinstance(pool(), PoolPolicy)


@pytest.mark.parametrize("policy", [pair(), pool()], ids=["pair", "pool"])
def test_a_policy_is_what_the_seam_says(policy: Policy) -> None:
    assert policy.calibrated
    active = policy.activate(policy.default)
    assert (active.setting, active.calibrated) == (policy.default, True)
    assert policy.expect(policy.default).setting == policy.default
    assert policy.default == Setting(dial=0.5)
    wrong = Setting(promise=Promise(max_drop=0.05))
    for say in (policy.activate, policy.expect):
        with pytest.raises(ConfigError):
            say(wrong)


@pytest.mark.parametrize("policy", [pair(edge="other"), pool(tiny="other")], ids=["pair", "pool"])
def test_other_models_are_not_the_calibrated_ones(policy: Policy) -> None:
    assert not policy.calibrated
    assert not policy.activate(Setting(dial=0.5)).calibrated
    assert not policy.expect(Setting(dial=0.5)).calibrated


def test_the_models_count_in_the_order_of_the_arms() -> None:
    swapped = {"edge": CLOUD_MODEL, "cloud": EDGE_MODEL}
    assert not policy_of(manifest(), swapped, out_of_scope_arm="cloud").calibrated


def test_who_answers_the_unreadable_is_handed_on() -> None:
    """A promise counts such texts as the cloud's."""
    policy = policy_of(manifest(), PAIR, out_of_scope_arm="edge")
    with pytest.raises(ConfigError, match="out_of_scope_arm is 'edge'"):
        policy.activate(Setting(promise=Promise(max_drop=0.05)))


@pytest.mark.parametrize(
    ("threshold", "order"), [(0.0, "cheapest"), (0.01, None), (1.0, None), (1.01, "dearest")]
)
def test_the_ends_of_two_arms_are_orders(threshold: float, order: str | None) -> None:
    active = pair().activate(Setting(threshold=threshold))
    assert (active.order, active.threshold, active.charges.fixed) == (
        order,
        threshold,
        (threshold, 0.0),
    )


def test_a_pool_has_charges_for_each_arm_and_no_threshold() -> None:
    active = pool().activate(Setting(cost_weight=10.0))
    assert active.threshold is None
    assert active.charges.fixed == pytest.approx((0.0, 0.01, 0.1))


def test_what_is_in_force_never_changes_in_place() -> None:
    active: ActiveSetting = pair().activate(Setting(dial=0.5))
    with pytest.raises(FrozenInstanceError):
        active.threshold = 0.1  # type: ignore[misc]
