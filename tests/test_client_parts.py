"""A client's parts, from what the application said: nothing is loaded, and every error is early."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pool_fakes import pool_arms, pool_bundle
from sdk_fakes import FakeScorer, bundle, cloud_arm, edge_arm, user

from hybridroute.client_parts import ClientParts, client_parts
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import BundleError, ConfigError
from hybridroute.exploration import Exploration
from hybridroute.pool_policy import PoolPolicy
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy

REQUEST = ChatRequest(messages=tuple(user("0.9 easy")))


def parts(**given: Any) -> ClientParts:
    held = {
        "bundle": bundle(),
        "edge": edge_arm(),
        "cloud": cloud_arm(),
        "arms": None,
        "mode": "auto",
        "out_of_scope_arm": None,
        "router_threads": 2,
        "router_spins": True,
        "exploration": 0.0,
        **given,
    }
    return client_parts(held.pop("bundle"), **held)


def names(made: ClientParts) -> list[str]:
    return [arm.name for arm in made.router.arms]


def test_nothing_is_loaded_or_called() -> None:
    held, edge, cloud = bundle(), edge_arm(), cloud_arm()
    made = parts(bundle=held, edge=edge, cloud=cloud)
    assert (made.bundle, made.mode, names(made)) == (held, "auto", ["edge", "cloud"])
    assert isinstance(made.policy, ThresholdPolicy)
    assert set(made.costs.prices) == {"edge", "cloud"}
    assert (held.loads, edge.warm, edge.requests, cloud.requests) == (0, False, [], [])


def test_the_scorer_is_loaded_once_as_it_was_asked_for() -> None:
    held = bundle()
    made = parts(bundle=held, router_threads=3, router_spins=False)
    active = made.policy.activate(Setting(threshold=0.5))
    assert [made.router.decide(REQUEST, active).arm for _ in range(2)] == ["edge", "edge"]
    assert (held.loads, held.asked) == (1, {"threads": 3, "spins": False})


def test_the_parts_of_a_pool_are_in_the_bundles_order() -> None:
    made = parts(bundle=pool_bundle(), edge=None, cloud=None, arms=pool_arms())
    assert names(made) == ["tiny", "small", "big"]
    assert isinstance(made.policy, PoolPolicy)
    assert made.policy.calibrated


@pytest.mark.parametrize(("mode", "left"), [("only_on_device", "edge"), ("only_in_cloud", "cloud")])
def test_a_mode_leaves_out_what_it_forbids(mode: str, left: str) -> None:
    made = parts(mode=mode)
    assert (made.mode, names(made)) == (mode, [left])
    assert set(made.costs.prices) == {left}


def test_without_a_cloud_the_router_says_why_it_is_not_asked() -> None:
    made = parts(cloud=None)
    decision = made.router.decide(REQUEST, made.policy.activate(Setting(threshold=1.01)))
    assert (decision.arm, decision.left_out) == ("edge", {"cloud": "no cloud is configured"})


@pytest.mark.parametrize(("given", "arm"), [(None, "cloud"), ("edge", "edge")])
def test_who_answers_what_cannot_be_judged(given: str | None, arm: str) -> None:
    made = parts(bundle=bundle(FakeScorer(unknown_share=0.9)), out_of_scope_arm=given)
    decision = made.router.decide(REQUEST, made.policy.activate(Setting(threshold=0.5)))
    assert (decision.arm, decision.reason) == (arm, "out_of_scope")


def test_a_share_and_an_exploration_explore_alike() -> None:
    made = parts(exploration=Exploration(1.0, seed=3))
    again = parts(exploration=Exploration(1.0, seed=3))
    active = made.policy.activate(Setting(threshold=0.5))
    drawn = [made.router.decide(REQUEST, active).arm for _ in range(20)]
    assert set(drawn) == {"edge", "cloud"}
    assert [again.router.decide(REQUEST, active).arm for _ in range(20)] == drawn
    assert parts(exploration=1.0).router.decide(REQUEST, active).propensity == 0.5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mode": "on_device"}, "mode is 'on_device'"),
        ({"edge": 7}, "edge is a int"),
        ({"cloud": "https://host/v1"}, "cloud is a str"),
        ({"arms": [edge_arm()]}, "give arms, or edge and cloud, not both"),
        ({"mode": "only_in_cloud", "cloud": None}, "leaves nothing to ask"),
        ({"router_threads": 0}, "router_threads is 0"),
        ({"exploration": 1.5}, r"exploration is 1\.5"),
        ({"out_of_scope_arm": "nobody"}, "out_of_scope_arm is 'nobody'"),
        ({"bundle": 5}, "bundle is a int"),
        ({"bundle": pool_bundle(), "edge": None, "cloud": None}, "give them as arms="),
    ],
)
def test_a_wrong_argument_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parts(**given)


def test_a_bundle_that_is_not_there_or_of_another_rule_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError):
        parts(bundle=tmp_path)
    with pytest.raises(BundleError, match="text rule 'other'"):
        parts(bundle=bundle(text_rule="other"))
