"""What a setting is expected to do: the numbers of a table's entry, a bound, a promise, or none."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from sdk_fakes import calibration

from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.promises import DialBounds, PromiseKind, Promises
from hybridroute.expectation import Expectation, Point, bounded, measured, promised
from hybridroute.promise import ChosenPromise, Promise, StandingPromise
from hybridroute.setting import Setting

DIAL = Setting(dial=0.5)
POINT = Point(cloud_share=0.3, quality=0.6)


def test_a_point_s_numbers_and_what_follows_from_them() -> None:
    found = measured(DIAL, 0.45, calibration(cloud_quality=0.75), POINT)
    assert (found.setting, found.threshold, found.calibrated) == (DIAL, 0.45, True)
    assert (found.cloud_share, found.cost_advantage) == (0.3, pytest.approx(0.7))
    assert (found.quality, found.quality_drop) == (0.6, pytest.approx(0.15))
    assert found.quality_drop_relative == pytest.approx(0.2)
    assert (found.n, found.source, found.reason) == (500, "test rows", None)


def test_where_routing_is_the_better_the_drop_is_negative() -> None:
    found = measured(DIAL, 0.45, calibration(), Point(cloud_share=0.5, quality=0.8))
    assert found.quality_drop == pytest.approx(-0.05)
    assert found.quality_drop_relative == pytest.approx(-0.05 / 0.75)


def test_negative_qualities_drop_by_a_share_of_their_size() -> None:
    held = calibration(cloud_quality=-2.0)
    found = measured(DIAL, 0.45, held, Point(cloud_share=0.5, quality=-2.5))
    assert (found.quality_drop, found.quality_drop_relative) == (0.5, pytest.approx(0.25))


@pytest.mark.parametrize(("se", "known"), [(0.15, True), (0.151, False), (float("inf"), False)])
def test_a_share_of_a_mean_near_0_is_not_said_and_why(se: float, known: bool) -> None:
    """Under 5 standard errors."""
    found = measured(DIAL, 0.45, calibration(cloud_quality_se=se), POINT)
    assert (found.quality_drop_relative is not None) is known
    assert found.quality_drop == pytest.approx(0.15)
    said = "all-cloud quality is too near 0 for a relative drop"
    assert found.reason == (None if known else said)


def test_without_a_point_there_is_no_number_but_where_and_how_many() -> None:
    found = measured(Setting(threshold=0.123456), 0.123456, calibration(), None)
    assert found.reason == "the calibration measured no setting near the threshold 0.1235"
    assert (found.threshold, found.calibrated, found.n) == (0.123456, True, 500)
    known = {"setting", "threshold", "calibrated", "n", "source", "reason"}
    rest = {item.name for item in fields(Expectation)} - known
    assert {name: getattr(found, name) for name in rest} == dict.fromkeys(rest)


def promises(bound: float | None) -> Promises:
    flat = (0.0,) * (GRID + 1)
    bounds = [0.1] * (GRID + 1)
    held: tuple[float | None, ...] = (*bounds[:500], bound, *bounds[501:])
    return Promises(
        source="other rows",
        n=321,
        n_seen_in_training=0,
        quality_low=0.0,
        quality_high=1.0,
        kept=(),
        dial=DialBounds(confidence=0.8, cost_advantage=flat, drop=flat, bounds=held),
    )


def test_a_bound_is_that_of_its_own_entry() -> None:
    plain = measured(DIAL, 0.45, calibration(), POINT)
    found = bounded(plain, promises(0.07), 500)
    assert (found.drop_bound, found.drop_bound_confidence, found.drop_bound_n) == (0.07, 0.8, 321)
    assert (found.quality, found.n, found.source) == (plain.quality, 500, "test rows")
    assert bounded(plain, promises(0.07), 499).drop_bound == 0.1
    assert bounded(plain, promises(0.0), 500).drop_bound == 0.0, "0 is a bound too"


def test_where_the_bundle_holds_no_bound_nothing_is_added() -> None:
    plain = measured(DIAL, 0.45, calibration(), POINT)
    held = promises(None)
    bare = Promises(
        source="s", n=1, n_seen_in_training=0, quality_low=0.0, quality_high=1.0, kept=()
    )
    for none in (None, bare, held):
        assert bounded(plain, none, 500) == plain


def standing(kind: PromiseKind) -> StandingPromise:
    return StandingPromise(
        kind=kind,
        max_drop=0.05,
        confidence=0.9,
        drop=0.02,
        drop_bound=0.04,
        cost_advantage=0.75,
        n=1234,
        source="the promise's rows",
    )


@pytest.mark.parametrize(
    ("kind", "drop", "relative", "bound"),
    [
        ("absolute", 0.02, None, (0.04, 0.9, 1234)),
        ("relative", None, 0.02, (None, None, None)),
        ("gap", None, None, (None, None, None)),
    ],
)
def test_a_promise_tells_the_drop_of_its_own_kind_alone(
    kind: PromiseKind, drop: float | None, relative: float | None, bound: tuple[object, ...]
) -> None:
    setting = Setting(promise=Promise(max_drop=0.05, drop_kind=kind))
    found = promised(setting, ChosenPromise(threshold=0.6, standing=standing(kind)))
    assert (found.quality_drop, found.quality_drop_relative) == (drop, relative)
    assert (found.drop_bound, found.drop_bound_confidence, found.drop_bound_n) == bound
    assert (found.threshold, found.cloud_share, found.cost_advantage) == (0.6, 0.25, 0.75)
    assert (found.n, found.source, found.quality) == (1234, "the promise's rows", None)
    assert found.promise == standing(kind)
    assert found.reason is not None
    assert kind in found.reason


def test_as_json_every_field_is_there_and_the_setting_is_flat() -> None:
    found = measured(DIAL, 0.45, calibration(), POINT).to_dict()
    assert set(found) == {item.name for item in fields(Expectation)}
    assert found["setting"] == {"kind": "dial", "value": 0.5}
    assert found["promise"] is None
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    setting = Setting(promise=Promise(max_drop=0.05))
    body = promised(setting, ChosenPromise(threshold=0.6, standing=standing("absolute"))).to_dict()
    assert body["setting"] == {"kind": "promise", "value": 0.05}
    assert body["promise"] == standing("absolute").to_dict()
    assert json.loads(json.dumps(body, allow_nan=False)) == body
