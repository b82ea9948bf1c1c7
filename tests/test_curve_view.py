"""What every position of the dial is expected to do: of each kind of bundle, by its knob."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pool_fakes import pool_arms, pool_bundle
from sdk_fakes import CLOUD_MODEL, EDGE_MODEL, bundle, calibration, edge_arm
from server_run import pool_serving, serving

from hybridroute.async_client import AsyncHybridClient
from hybridroute.server.curve_view import curve_body
from hybridroute.server.live import Serving
from hybridroute.setting import Setting
from hybridroute.settings_sections import Settings

AT = [step / 100 for step in range(101)]


def pool_of(**changes: Any) -> Serving:
    return Serving(
        client=AsyncHybridClient(pool_bundle(**changes), arms=pool_arms()),
        settings=Settings(),
        models=(("tiny", "tiny-1"), ("small", "small-1"), ("big", "big-1")),
    )


@pytest.mark.parametrize(
    ("of", "knob", "calibrated", "source"),
    [
        (serving(), "dial", True, "test rows"),
        (
            serving(bundle=bundle(calibration=calibration(flat=True))),
            "cost_advantage",
            True,
            "test rows",
        ),
        (
            serving(bundle=bundle(calibration=calibration(flat=True), score_quantiles=None)),
            "threshold",
            True,
            "test rows",
        ),
        (serving(edge=edge_arm(model="other")), "dial", False, "test rows"),
        (serving(bundle=bundle(calibration=None, score_quantiles=None)), "threshold", False, None),
        (pool_serving(), "dial", True, "test rows"),
        (pool_of(flat=True, flat_reason="costs are equal"), "cost_advantage", True, "test rows"),
    ],
    ids=["pair", "flat", "no quantiles", "others", "bare", "pool", "flat pool"],
)
def test_the_first_knob_that_the_bundle_takes(
    of: Serving, knob: str, calibrated: bool, source: str | None
) -> None:
    body = curve_body(of)
    assert (body["object"], body["knob"]) == ("hybridroute.curve", knob)
    assert (body["calibrated"], body["source"]) == (calibrated, source)
    assert body["models"] == [model for _, model in of.models]
    assert [point["at"] for point in body["points"]] == AT
    assert json.loads(json.dumps(body, allow_nan=False)) == body


def test_every_point_can_be_put_and_is_what_is_then_expected() -> None:
    for of in (
        serving(),
        serving(bundle=bundle(calibration=calibration(flat=True))),
        pool_serving(),
    ):
        for point in curve_body(of)["points"]:
            setting = Setting(**point["put"])
            said = of.client.expect(setting=setting).to_dict()
            assert {name: point[name] for name in said} == said


def test_position_0_is_all_edge_by_whichever_knob() -> None:
    dial = curve_body(serving())["points"]
    share = curve_body(serving(bundle=bundle(calibration=calibration(flat=True))))["points"]
    raw = curve_body(serving(bundle=bundle(calibration=None, score_quantiles=None)))["points"]
    assert [one[0]["put"] for one in (dial, share, raw)] == [
        {"dial": 0.0},
        {"cost_advantage": 1.0},
        {"threshold": 0.0},
    ]
    for points in (dial, share, raw):
        assert points[0]["threshold"] == 0.0
        thresholds = [point["threshold"] for point in points]
        assert thresholds == sorted(thresholds)


def test_a_knobs_value_is_what_was_meant_and_no_rounding_of_it() -> None:
    """1 - 0.07 is 0.9299999999999999 in a computer."""
    flat = serving(bundle=bundle(calibration=calibration(flat=True)))
    puts = [point["put"]["cost_advantage"] for point in curve_body(flat)["points"]]
    assert puts == [(100 - step) / 100 for step in range(101)]


def test_why_there_are_no_numbers_is_said_once_more_at_the_top() -> None:
    body = curve_body(serving(edge=edge_arm(model="other")))
    assert "the configured arms are other and large-1" in body["reason"]
    assert {point["quality"] for point in body["points"]} == {None}
    assert curve_body(serving())["reason"] is None


def test_where_one_arm_answers_all_the_curve_is_flat_and_says_who() -> None:
    body = curve_body(serving(cloud=None))
    assert body["only_arm"]["model"] == EDGE_MODEL
    assert body["reason"] == body["only_arm"]["why"]
    assert {point["cost_advantage"] for point in body["points"]} == {1.0}
    assert curve_body(serving())["only_arm"] is None
    assert CLOUD_MODEL in curve_body(serving())["models"]
