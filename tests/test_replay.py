"""Replay: a log decided again under another setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_run import run
from sdk_fakes import bundle, cloud_arm, edge_arm, user
from tiny_bundle import write_tiny_bundle

from hybridroute import ArmUnavailable, DataError, HybridClient, Setting
from hybridroute.decision_log import bundle_name, write_label
from hybridroute.edge_runtime.prices import Prices
from hybridroute.replay import replay

SCORES = (0.1, 0.3, 0.5, 0.7, 0.9)


def _log(path: Path, *, priced: bool = True, **given: Any) -> list[str]:
    """One request for each score, at threshold 0.4; gives their ids."""
    cloud = cloud_arm()
    if priced:
        cloud.prices = Prices(in_usd_per_million=1e6, out_usd_per_million=0.0)
    held = {"edge": edge_arm(), "cloud": cloud, **given}
    with HybridClient(bundle(), threshold=0.4, **held) as client:
        client.log_to(path)
        ask = client.chat.completions.create
        return [ask(messages=user(f"{score} text")).hybridroute.id for score in SCORES]


def test_what_another_setting_would_have_done(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    _log(path)
    found = replay(path, Setting(threshold=0.6), bundle())
    assert (found.requests, found.fixed, found.to_edge, found.to_cloud) == (5, 0, 0, 1)
    assert (found.cloud_share_was, found.cloud_share_would_be) == (0.4, 0.6)
    each = 3 + 4 + 2  # "0.1 text" is 8 bytes
    assert (found.cost_usd_was, found.cost_usd_would_be) == (2 * each, 3 * each)
    assert found.worse_expected == pytest.approx(-0.5)
    assert found.to_dict()["estimate"] is True
    back = replay(path, Setting(threshold=0.2), bundle())
    assert (back.to_edge, back.cost_usd_would_be) == (1, each)
    assert back.worse_expected == pytest.approx(0.7)
    same = replay(path, Setting(threshold=0.4), bundle())
    assert (same.to_edge, same.to_cloud, same.worse_expected) == (0, 0, 0.0)


@pytest.mark.parametrize("kind", ["label", "gap"])
def test_the_calibration_table_estimates_the_loss(tmp_path: Path, kind: str) -> None:
    """Up to a cloud share of .8 (scores to .9) the cloud adds .5 to each query; then it takes."""
    path = tmp_path / "log.db"
    held = bundle(score_kind=kind)
    with HybridClient(held, edge=edge_arm(), cloud=cloud_arm(), threshold=0.4) as client:
        client.log_to(path)
        for score in SCORES:
            client.chat.completions.create(messages=user(f"{score} text"))
    found = replay(path, Setting(threshold=0.6), held)
    assert found.quality_lost_expected == pytest.approx(-0.5 / 5)
    assert found.quality_lost_from == "500 queries: test rows"
    back = replay(path, Setting(threshold=0.0), held)
    assert back.quality_lost_expected == pytest.approx(2 * 0.5 / 5)
    over = replay(path, Setting(threshold=1.01), held).quality_lost_expected
    assert over == pytest.approx(-(0.5 + 0.5 + (0.05 * 0.5 - 0.05 * 0.25) / 0.1) / 5)
    same = replay(path, Setting(threshold=0.4), held)
    assert same.quality_lost_expected == 0.0


def test_without_a_calibration_for_these_arms_no_loss_is_estimated(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    _log(path, edge=edge_arm(model="other"))
    found = replay(path, Setting(threshold=0.6), bundle())
    assert found.to_cloud == 1
    assert (found.quality_lost_expected, found.quality_lost_from) == (None, None)


def test_a_dial_is_read_by_the_bundle(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    _log(path)
    assert replay(path, Setting(dial=0.0), bundle()).cloud_share_would_be == 0.0
    assert replay(path, Setting(dial=1.0), bundle()).cloud_share_would_be == 0.8


def test_what_the_score_did_not_decide_stays(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with HybridClient(bundle(), edge=edge_arm(), cloud=cloud_arm(), threshold=0.4) as client:
        client.log_to(path)
        client.chat.completions.create(messages=user("0.1 hard"), mode="only_on_device")
        client.chat.completions.create(messages=user("0.9 easy"), mode="only_in_cloud")
    found = replay(path, Setting(dial=1.0), bundle())
    assert (found.fixed, found.to_edge, found.to_cloud) == (2, 0, 0)


def test_a_fallback_stays_where_the_choice_would_be_the_same(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    _log(path, cloud=cloud_arm(fails=ArmUnavailable("down", arm="cloud")))
    found = replay(path, Setting(threshold=0.4), bundle())
    assert (found.cloud_share_was, found.cloud_share_would_be) == (0.0, 0.0)
    assert found.fixed == 0


def test_a_fallback_from_a_held_conversation_stays(tmp_path: Path) -> None:
    """The conversation kept the easy request on the cloud, which failed: no score chose that."""
    path, cloud = tmp_path / "log.db", cloud_arm()
    with HybridClient(bundle(), edge=edge_arm(), cloud=cloud, threshold=0.4) as client:
        client.log_to(path)
        client.chat.completions.create(messages=user("0.1 hard"), session="one")
        cloud.fails = ArmUnavailable("down", arm="cloud")
        held = client.chat.completions.create(messages=user("0.7 easy"), session="one")
    assert (held.hybridroute.reason, held.hybridroute.arm) == ("fallback", "edge")
    for threshold in (0.4, 0.9):
        found = replay(path, Setting(threshold=threshold), bundle())
        assert (found.fixed, found.to_edge, found.to_cloud) == (1, 0, 0)


def test_labels_measure_the_loss(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    ids = _log(path)
    write_label(path, id=ids[1], arm="cloud", quality=1.0)
    write_label(path, id=ids[1], arm="edge", quality=0.25)
    write_label(path, id=ids[0], arm="edge", quality=0.0)
    found = replay(path, Setting(threshold=0.2), bundle())
    assert (found.labelled, found.quality_was, found.quality_would_be) == (1, 1.0, 0.25)


def test_unknown_prices_are_no_zeros(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    _log(path, priced=False)
    found = replay(path, Setting(threshold=0.6), bundle())
    assert (found.unpriced, found.cost_usd_was, found.cost_usd_would_be) == (3, None, None)
    body = found.to_dict()
    assert (body["cost_usd_was"], body["cost_usd_would_be"]) == (None, None)


def test_what_was_all_on_the_device_and_stays_there_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with HybridClient(bundle(), edge=edge_arm(), threshold=0.0) as client:
        client.log_to(path)
        client.chat.completions.create(messages=user("0.9 easy"))
    found = replay(path, Setting(threshold=0.0), bundle())
    assert (found.unpriced, found.cost_usd_was, found.cost_usd_would_be) == (0, 0.0, 0.0)


def test_another_bundle_s_scores_are_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    _log(path)
    other = write_tiny_bundle(tmp_path / "tiny")
    assert bundle_name(other)
    assert replay(path, Setting(threshold=1.0), other).fixed == 5


def test_no_log(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database at all, only text")
    for name in ("none.db", "text"):
        with pytest.raises(DataError):
            replay(tmp_path / name, Setting(dial=0.5), bundle())
    with HybridClient(bundle(), edge=edge_arm()) as client:
        client.log_to(tmp_path / "empty.db")
    with pytest.raises(DataError, match="no answered request"):
        replay(tmp_path / "empty.db", Setting(dial=0.5), bundle())


def test_the_command(tmp_path: Path) -> None:
    tiny = write_tiny_bundle(tmp_path / "tiny", weights={"easy": 20.0, "hard": -20.0})
    path = tmp_path / "log.db"
    with HybridClient(tiny, edge=edge_arm(), cloud=cloud_arm(), threshold=0.5) as client:
        client.log_to(path)
        for word in ("easy", "hard"):
            client.chat.completions.create(messages=user(f"{word} {word} {word}"))
    asked = ("replay", "--log", str(path), "--dial", "0", "--bundle", str(tiny.path))
    done = run(*asked, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert (body["requests"], body["to_edge"], body["cloud_share_would_be"]) == (2, 1, 0.0)
    said = run(*asked, cwd=tmp_path)
    assert "2 requests, at dial 0 instead (estimates)" in said.stdout
    assert "cloud share 50.0% -> 0.0%" in said.stdout
    wrong = run("replay", "--log", str(tmp_path / "none"), "--dial", "0.5", cwd=tmp_path)
    assert (wrong.returncode, "there is no file" in wrong.stderr) == (1, True)
