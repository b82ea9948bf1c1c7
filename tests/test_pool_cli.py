"""`route` and `ask` with a bundle that routes among three arms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_run import run
from tiny_pool import write_tiny_pool

MODELS = {"tiny": "smollm2-135m", "small": "gemma3-270m", "big": "large"}
WORDS = {"easy": (9.0, 5.0, 5.0), "middling": (0.0, 9.0, 5.0), "hard": (0.0, 0.0, 9.0)}
ARMS = (
    *("--arm", "tiny=smollm2-135m", "--arm", "small=gemma3-270m"),
    *("--arm", "big=large@http://127.0.0.1:9/v1"),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_tiny_pool(tmp_path_factory.mktemp("pool") / "tiny", MODELS, WORDS).path)


def test_route_shows_every_estimate(bundle: str, tmp_path: Path) -> None:
    ran = run("route", "--json", "--bundle", bundle, "--dial", "1", "a middling one", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    body = json.loads(ran.stdout)
    assert (body["arm"], body["reason"], body["calibrated"]) == ("small", "highest_utility", True)
    assert (body["score"], body["threshold"], body["score_kind"]) == (None, None, "quality")
    assert set(body["estimates"]) == set(MODELS)
    assert body["estimates"]["small"]["mean"] > body["estimates"]["big"]["mean"]
    assert body["expectation"]["cost_usd"] is not None


def test_route_says_it_in_words(bundle: str, tmp_path: Path) -> None:
    ran = run("route", "--bundle", bundle, *ARMS, "a hard one", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "big (large) answers because its estimate less its charge is the largest" in ran.stdout


def test_ask_wants_to_know_what_the_arms_are(bundle: str, tmp_path: Path) -> None:
    ran = run("ask", "--bundle", bundle, "a hard one", cwd=tmp_path)
    assert ran.returncode == 1
    assert "routes among tiny, small, big; say what they are with --arm NAME=MODEL" in ran.stderr


def test_the_settings_file_names_the_arms_too(bundle: str, tmp_path: Path) -> None:
    said = " ".join(ARMS[1::2])
    text = f'[router]\nbundle = "{bundle}"\narms = "{said}"\n'
    (tmp_path / "hybridroute.toml").write_text(text, encoding="utf-8")
    ran = run("route", "--json", "an easy one", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["arm"] == "tiny"


def test_doctor_looks_at_each_arm(bundle: str, tmp_path: Path) -> None:
    ran = run("doctor", "--json", "--bundle", bundle, *ARMS, cwd=tmp_path)
    held = {one["name"]: one for one in json.loads(ran.stdout)["findings"]}
    assert held["router"]["found"].startswith("1 golden vectors scored again, off by at most 0")
    assert held["bundle"]["found"].endswith("calibrated for smollm2-135m, gemma3-270m and large")
    assert held["arm big"]["status"] == "error"
    assert {"arm tiny", "arm small"} <= set(held)


def test_doctor_names_an_arm_that_is_not_written_well(bundle: str, tmp_path: Path) -> None:
    ran = run("doctor", "--json", "--bundle", bundle, "--arm", "tiny", cwd=tmp_path)
    held = {one["name"]: one for one in json.loads(ran.stdout)["findings"]}
    assert "is not NAME=MODEL" in held["arms"]["found"]
    assert ran.returncode == 1


@pytest.mark.parametrize(("option", "value"), [("--budget-usd", "0.001"), ("--cost-weight", "0")])
def test_a_pool_is_turned_by_money(bundle: str, tmp_path: Path, option: str, value: str) -> None:
    ran = run("route", "--json", "--bundle", bundle, option, value, "a hard one", cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    body = json.loads(ran.stdout)
    kind = option.strip("-").replace("-", "_")
    assert (body["setting_kind"], body[kind]) == (kind, float(value))
    said = run("route", "--bundle", bundle, *ARMS, option, value, "a hard one", cwd=tmp_path).stdout
    assert "of what the dearest arm would cost is saved" in said
    assert "edge" not in said


def test_money_is_no_setting_of_two_arms(tmp_path: Path) -> None:
    ran = run("route", "--budget-usd", "0.001", "x", cwd=tmp_path)
    assert ran.returncode == 1
    assert "budget_usd" in ran.stderr
    twice = run("route", "--budget-usd", "0.001", "--dial", "0.5", "x", cwd=tmp_path)
    assert twice.returncode == 2
