"""The stand-in for an arm that is not configured: chosen like any other, and never asked."""

from __future__ import annotations

import pytest

from hybridroute.cli.unconfigured_arm import UnconfiguredArm
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ArmRefused
from hybridroute.edge_runtime.protocols import Arm

REQUEST = ChatRequest(messages=({"role": "user", "content": "x"},))


def test_it_is_an_arm_that_can_everything() -> None:
    arm = UnconfiguredArm()
    assert isinstance(arm, Arm)
    assert arm.count_tokens(REQUEST.messages) == 0
    can = arm.capabilities
    assert all((can.tools, can.json_mode, can.images, can.logit_bias, can.web_search))
    assert can.context_tokens is None


def test_it_refuses_by_its_name() -> None:
    arm = UnconfiguredArm(name="small", model="m")
    for ask in (arm.complete, arm.stream):
        with pytest.raises(ArmRefused, match="no small is configured") as caught:
            ask(REQUEST)
        assert caught.value.arm == "small"
