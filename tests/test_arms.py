"""Arms: what an application says becomes arms, as far as the mode can use them."""

from __future__ import annotations

import pytest
from pool_fakes import pool_bundle
from sdk_fakes import cloud_arm, edge_arm

from hybridroute.arms import make_arms
from hybridroute.callable_arm import CallableArm
from hybridroute.cloud import CloudSettings
from hybridroute.edge_runtime.errors import ConfigError


def test_nothing_said_is_the_default_edge_and_no_cloud() -> None:
    arms = make_arms("auto")
    assert [(arm.name, arm.place) for arm in arms.present] == [("edge", "device")]
    assert arms.models == {"edge": "smollm2-135m"}
    assert arms.absent == {"cloud": "no cloud is configured"}


def test_settings_and_names_become_arms() -> None:
    settings = CloudSettings(base_url="http://127.0.0.1:9/v1", model="large", api_key_env="")
    arms = make_arms("auto", edge="gemma3-270m", cloud=settings)
    assert [arm.name for arm in arms.present] == ["edge", "cloud"]
    assert arms.models == {"edge": "gemma3-270m", "cloud": "large"}
    assert arms.absent == {}


def test_own_arms_are_taken_as_they_are() -> None:
    edge, cloud = edge_arm(), cloud_arm()
    assert make_arms("auto", edge=edge, cloud=cloud).present == (edge, cloud)


def test_a_mode_leaves_the_other_arm_unmade() -> None:
    on_device = make_arms("only_on_device", edge=edge_arm(), cloud="not even looked at")
    assert [arm.name for arm in on_device.present] == ["edge"]
    assert on_device.absent == {"cloud": "the mode is only_on_device"}
    in_cloud = make_arms("only_in_cloud", edge=3, cloud=cloud_arm())
    assert [arm.name for arm in in_cloud.present] == ["cloud"]
    assert in_cloud.absent == {"edge": "the mode is only_in_cloud"}


def test_a_mode_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"no cloud is configured. Give cloud=, or choose"):
        make_arms("only_in_cloud", edge=edge_arm())
    with pytest.raises(ConfigError, match=r"edge \(on cloud\).* Give an edge= that runs on this"):
        make_arms("only_on_device", edge=edge_arm(place="cloud"))


def test_the_way_out_of_a_list_of_arms_is_another_arm_in_it() -> None:
    with pytest.raises(ConfigError, match=r"\. Give arms= an arm that runs in the cloud, or"):
        make_arms("only_in_cloud", arms=[edge_arm()])
    with pytest.raises(ConfigError, match=r"\. Give arms= an arm that runs on this device, or"):
        make_arms("only_on_device", pool=pool_bundle().manifest.pool, arms=[_in_cloud("small")])


def _in_cloud(name: str) -> CallableArm:
    return CallableArm(name, lambda _: "text", place="cloud")


def test_what_is_no_arm_is_refused() -> None:
    with pytest.raises(ConfigError, match="edge is a int"):
        make_arms("auto", edge=3)
    with pytest.raises(ConfigError, match="cloud is a str"):
        make_arms("auto", cloud="https://api.example.com")
    with pytest.raises(ConfigError, match="the edge arm is named 'cloud'; name it 'edge'"):
        make_arms("auto", edge=cloud_arm())
