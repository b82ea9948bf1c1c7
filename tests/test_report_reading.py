"""The two sentences."""

from __future__ import annotations

from typing import Any

import pytest

from hybridroute.training.report_page.at_setting import AtSetting
from hybridroute.training.report_page.reading import amount, percent, reading_of


def _at(**changed: Any) -> AtSetting:
    held: dict[str, Any] = {
        "setting": "dial 0.5",
        "threshold": 0.4,
        "edge_share": 0.614,
        "routed_quality": 0.7,
        "drop": 0.1,
        "drop_low": 0.08,
        "drop_high": 0.12,
        "relative_drop": 0.125,
        "random_drop": 0.2,
        "oracle_drop": 0.05,
        "usd_saved": None,
    }
    return AtSetting(**(held | changed))


def _judged(**changed: Any) -> dict[str, Any]:
    held = {"n": 1234, "edge_quality": 0.4, "cloud_quality": 0.8, "apgr": 0.7, "cpt50": 31.6}
    return held | changed


def test_a_drop_is_said_with_its_size_and_interval() -> None:
    saves, compared = reading_of(_at(), _judged())
    assert "61 % of these 1,234 queries" in saves
    assert "0.100, or 12 % lower (95 % interval 0.080 to 0.120)." in saves
    assert "cost 0.200" in compared
    assert "32 % of the queries where chance needs about 50 %" in compared


def test_a_rise_is_not_called_a_drop() -> None:
    saves, _ = reading_of(_at(drop=-0.1, drop_low=-0.12, drop_high=-0.08), _judged())
    assert "higher (95 % interval 0.080 to 0.120)" in saves
    assert "lower" not in saves


def test_what_cannot_be_told_from_none_is_said_to_be_so() -> None:
    saves, _ = reading_of(_at(drop_low=-0.01), _judged())
    assert "cannot be told from none (95 % interval \N{MINUS SIGN}0.010 to 0.120)" in saves


def test_money_is_said_where_it_is_known() -> None:
    assert "saves 45 % of the cost" in reading_of(_at(usd_saved=0.45), _judged())[0]


def test_where_the_cloud_is_not_better_no_share_of_its_gain_is_claimed() -> None:
    _, compared = reading_of(_at(), _judged(apgr=None, cpt50=None, edge_quality=0.9))
    assert "not clearly better" in compared
    assert "better arm alone (0.900)" in compared
    assert "recover" not in compared


def test_a_choice_that_beats_the_cloud_alone_gains() -> None:
    _, compared = reading_of(_at(oracle_drop=-0.062), _judged())
    assert "chance would cost 0.200 of quality" in compared
    assert "best possible choice would gain 0.062 of quality" in compared


def test_a_router_that_recovers_nothing() -> None:
    assert "never recovers half" in reading_of(_at(), _judged(cpt50=None))[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (-2.5, "\N{MINUS SIGN}2.500"),
        (3.2e-4, "0.0003"),
        (2e-5, "2.0e\N{MINUS SIGN}05"),
    ],
)
def test_amounts(value: float, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0.0 %"), (-0.0001, "0.0 %"), (0.0995, "10 %"), (0.614, "61 %"), (0.031, "3.1 %")],
)
def test_percentages(value: float, text: str) -> None:
    assert percent(value) == text
