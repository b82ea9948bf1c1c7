"""What a setting does, overall and by domain."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from report_cases import CLOUD, EDGE, rows_of, table_of
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.errors import ConfigError
from hybridroute.edge_runtime.manifest import CalibratedArm
from hybridroute.setting import Setting
from hybridroute.training.calibrate import calibrate
from hybridroute.training.report_page.at_setting import (
    NO_DOMAIN,
    at_setting,
    chosen_setting,
    domain_rows,
)
from hybridroute.training.report_page.routers import Router

SCORES = np.array([0.9, 0.8, 0.2, 0.1])
EDGE_Q = [[1.0], [0.5], [0.0], [0.0]]
CLOUD_Q = [[1.0], [1.0], [1.0], [0.5]]
THIS = Router(name="this", kind="this", scores=SCORES)
HALF = Setting(cost_advantage=0.5)
ARMS = (CalibratedArm(name="edge", model=EDGE), CalibratedArm(name="cloud", model=CLOUD))


def test_the_figures_at_a_threshold() -> None:
    at = at_setting(THIS, rows_of(table_of(EDGE_Q, CLOUD_Q)), HALF, 0.8)
    assert at.setting == "cost_advantage 0.5"
    assert at.edge_share == 0.5
    assert at.drop == pytest.approx(0.5 / 4)
    assert at.routed_quality == pytest.approx(3.0 / 4)
    assert at.random_drop == pytest.approx(0.5 * 2.0 / 4)
    assert at.oracle_drop == pytest.approx(0.5 / 4)
    assert at.drop_low <= at.drop <= at.drop_high
    assert at.relative_drop == pytest.approx(0.5 / 3.5)
    assert at.usd_saved is None


def test_the_money_saved() -> None:
    rows = rows_of(table_of(EDGE_Q, CLOUD_Q, cost=(0.001, 0.01)))
    assert at_setting(THIS, rows, HALF, 0.8).usd_saved == pytest.approx(0.45)
    free = rows_of(table_of(EDGE_Q, CLOUD_Q, cost=(0.0, 0.0)))
    assert at_setting(THIS, free, HALF, 0.8).usd_saved is None


def test_domains_stand_by_size_and_those_without_together() -> None:
    domains = ["a", None, None, "b"]
    found = domain_rows(THIS, rows_of(table_of(EDGE_Q, CLOUD_Q, domains=domains)), 0.8)
    assert [(row.domain, row.n, row.cloud_share, row.drop) for row in found] == [
        (NO_DOMAIN, 2, 0.5, 0.25),
        ("a", 1, 0.0, 0.0),
        ("b", 1, 1.0, 0.0),
    ]
    assert sum(row.n * row.drop for row in found) / 4 == pytest.approx(0.125)


def test_a_table_without_domains_is_one_row() -> None:
    (only,) = domain_rows(THIS, rows_of(table_of(EDGE_Q, CLOUD_Q)), 0.8)
    assert (only.domain, only.n) == (NO_DOMAIN, 4)


def test_the_setting_is_what_a_client_starts_with(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    scores = draw.random(200)
    steep = calibrate(scores, scores, np.full(200, 0.9), "rows")
    flat = calibrate(scores, np.ones(200), np.zeros(200), "rows")
    turned = write_tiny_bundle(tmp_path / "a", arms=ARMS, calibration=steep).manifest
    still = write_tiny_bundle(tmp_path / "b", arms=ARMS, calibration=flat).manifest
    setting, threshold = chosen_setting(turned, (EDGE, CLOUD), None)
    assert str(setting) == "dial 0.5"
    assert threshold == steep.dial.thresholds[500]
    assert chosen_setting(turned, (EDGE, CLOUD), 0.9)[1] == steep.dial.thresholds[900]
    assert str(chosen_setting(still, (EDGE, CLOUD), None)[0]) == "cost_advantage 0.5"
    with pytest.raises(ConfigError, match="flat"):
        chosen_setting(still, (EDGE, CLOUD), 0.5)
