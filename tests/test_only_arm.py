"""The one arm that answers everything: when there is one, why, and what is then not promised."""

from __future__ import annotations

from typing import Any

import pytest
from pool_fakes import pool_arms, pool_bundle
from sdk_fakes import CLOUD_MODEL, EDGE_MODEL
from server_run import pool_serving, serving

from hybridroute.async_client import AsyncHybridClient
from hybridroute.server.live import Serving
from hybridroute.server.only_arm import OnlyArm, expectation_body, only_arm
from hybridroute.setting import Setting
from hybridroute.settings_sections import Settings

DEVICE = OnlyArm(name="edge", model=EDGE_MODEL, place="device", why="so it is")
CLOUD = OnlyArm(name="cloud", model=CLOUD_MODEL, place="cloud", why="so it is")
EVERYWHERE = "answers everything on this device, wherever the dial stands"


def found(**given: Any) -> OnlyArm:
    only = only_arm(serving(**given))
    assert only is not None
    return only


def test_of_several_there_is_none() -> None:
    assert only_arm(serving()) is None
    assert only_arm(pool_serving()) is None


def test_where_none_can_answer_there_is_none_either() -> None:
    assert only_arm(serving(unable={"edge": "No engine.", "cloud": "No key."})) is None


def test_without_a_cloud_it_is_the_edge_and_what_to_give_is_said() -> None:
    only = found(cloud=None)
    assert (only.name, only.model, only.place) == ("edge", EDGE_MODEL, "device")
    assert only.why.startswith(f"no cloud is configured, so {EDGE_MODEL} {EVERYWHERE}")
    assert "--cloud-model or HYBRIDROUTE_CLOUD_MODEL" in only.why


@pytest.mark.parametrize(
    ("mode", "name", "where"),
    [("only_on_device", "edge", "on this device"), ("only_in_cloud", "cloud", "in the cloud")],
)
def test_a_mode_that_leaves_one_is_the_reason(mode: str, name: str, where: str) -> None:
    only = found(mode=mode)
    assert only.name == name
    assert only.why.startswith(f"the mode is {mode}, so ")
    assert f"answers everything {where}," in only.why
    assert "--cloud-model" not in only.why


def test_a_preference_leaves_both() -> None:
    assert only_arm(serving(mode="prefer_on_device")) is None


@pytest.mark.parametrize(("unable", "name"), [("cloud", "edge"), ("edge", "cloud")])
def test_what_the_others_lack_is_the_reason(unable: str, name: str) -> None:
    only = found(unable={unable: "It lacks a key"})
    assert only.name == name
    assert only.why.startswith("the other arms cannot be asked, so ")
    assert only.why.endswith(". It lacks a key")


def test_an_arm_of_a_pool_alone_is_told_how_to_name_others() -> None:
    (tiny,) = [arm for arm in pool_arms() if arm.name == "tiny"]
    alone = Serving(
        client=AsyncHybridClient(pool_bundle(), arms=[tiny]),
        settings=Settings(),
        models=(("tiny", "tiny-1"),),
    )
    only = only_arm(alone)
    assert only is not None
    assert only.name == "tiny"
    assert "no other arm is configured" in only.why
    assert "--arm or as router.arms" in only.why


@pytest.mark.parametrize(("only", "kept"), [(DEVICE, 1.0), (CLOUD, 0.0)])
def test_an_expectation_then_has_its_share_and_nothing_of_two_arms(
    only: OnlyArm, kept: float
) -> None:
    said = serving().client.expect(setting=Setting(dial=0.5))
    assert said.quality is not None
    body = expectation_body(said, only)
    assert (body["cost_advantage"], body["cloud_share"]) == (kept, 1.0 - kept)
    for name in ("quality", "quality_drop", "quality_drop_relative", "cost_usd"):
        assert body[name] is None
    assert body["reason"] == "so it is"
    assert body["setting"] == {"kind": "dial", "value": 0.5}
    assert body.keys() == said.to_dict().keys()


def test_of_several_arms_an_expectation_is_what_it_is() -> None:
    said = serving().client.expect(setting=Setting(dial=0.5))
    assert expectation_body(said, None) == said.to_dict()
