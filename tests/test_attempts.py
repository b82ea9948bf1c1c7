"""Attempts: which failures another arm may mend, and what is told of them."""

from __future__ import annotations

import logging

import pytest
from sdk_fakes import FakeArm, FakeScorer, cloud_arm, edge_arm, manifest, user, watch

from hybridroute.attempts import Attempts, complete, is_arms_fault
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmRefused,
    ArmTimeout,
    ArmUnavailable,
    ContextOverflow,
    EngineMissing,
    HybridRouteError,
    ModelMissing,
    RequestError,
)
from hybridroute.router import Router
from hybridroute.setting import Setting
from hybridroute.threshold_policy import ThresholdPolicy

REQUEST = ChatRequest(messages=tuple(user("0.9 easy")))


def _attempts(*arms: FakeArm) -> Attempts:
    router = Router(scorer=FakeScorer(), manifest=manifest(), arms=(edge_arm(), cloud_arm()))
    active = ThresholdPolicy(router.manifest, ()).activate(Setting(threshold=0.5))
    return Attempts(router.decide(REQUEST, active), arms, watch(REQUEST))


@pytest.mark.parametrize(
    "error",
    [
        ArmUnavailable("down"),
        ArmTimeout("slow"),
        ArmError("not JSON"),
        ArmRefused("wrong key", status=401),
        ArmRefused("not yours", status=403),
        ArmRefused("no such model", status=404),
        ArmRefused("too long a body", status=413),
        ArmRefused("no key is set"),
        ContextOverflow("too long", status=400),
        EngineMissing("install one"),
        ModelMissing("pull it"),
    ],
)
def test_the_arm_s_fault_falls_back(error: HybridRouteError) -> None:
    assert is_arms_fault(error)
    answer = complete(_attempts(edge_arm(fails=error), cloud_arm()), REQUEST)
    assert answer.choices[0].message.content == "cloud"
    decision = answer.hybridroute
    assert (decision.arm, decision.reason) == ("cloud", "fallback")
    assert decision.fallback_error == f"{type(error).__name__}: {error}"


@pytest.mark.parametrize(
    "error",
    [ArmRefused("bad", status=400), ArmRefused("bad", status=422), RequestError("not JSON")],
)
def test_the_caller_s_mistake_is_raised(error: HybridRouteError) -> None:
    standby = cloud_arm()
    with pytest.raises(type(error)):
        complete(_attempts(edge_arm(fails=error), standby), REQUEST)
    assert standby.requests == []


def test_the_last_error_is_raised_with_the_story() -> None:
    arms = (edge_arm(fails=ArmTimeout("slow")), cloud_arm(fails=ArmRefused("bad", status=400)))
    with pytest.raises(ArmRefused) as caught:
        complete(_attempts(*arms), REQUEST)
    assert caught.value.__notes__ == ["before that, edge failed: ArmTimeout: slow"]


def test_a_foreign_error_is_not_swallowed() -> None:
    standby = cloud_arm()
    with pytest.raises(ZeroDivisionError):
        complete(_attempts(edge_arm(fails=ZeroDivisionError()), standby), REQUEST)
    assert standby.requests == []


def test_a_fallback_is_logged_without_the_prompt(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="hybridroute")
    complete(_attempts(edge_arm(fails=ArmTimeout("slow")), cloud_arm()), REQUEST)
    assert "edge failed (ArmTimeout); cloud takes over" in caplog.text
    assert "easy" not in caplog.text
