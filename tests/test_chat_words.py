"""The slash lines of a chat."""

from __future__ import annotations

from typing import Any

import pytest
from pool_fakes import pool_arms, pool_bundle
from sdk_fakes import bundle, cloud_arm, edge_arm

from hybridroute import HybridClient, Setting
from hybridroute.cli.chat_words import obey
from hybridroute.cli.conversation import Conversation, Limits
from hybridroute.edge_runtime.errors import ArmUnavailable, ConfigError, NoCapableArm


def talk_with(cloud: Any, **given: Any) -> Conversation:
    client = HybridClient(bundle(), edge=edge_arm(), cloud=cloud, **given)
    return Conversation(client, system=None, limits=Limits())


@pytest.fixture
def talk() -> Conversation:
    return talk_with(cloud_arm(), threshold=0.5)


def nothing(*_: object) -> None:
    """Shows nothing."""


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        ("/dial 0.7", Setting(dial=0.7)),
        ("/threshold 0.4", Setting(threshold=0.4)),
        ("/cost  0.6 ", Setting(cost_advantage=0.6)),
    ],
)
def test_a_setting_is_turned(talk: Conversation, line: str, setting: Setting) -> None:
    said = obey(line, talk)
    assert talk.client.setting == setting
    assert f"threshold {talk.client.threshold:.3f}" in said


def test_a_dial_tells_what_to_expect(talk: Conversation) -> None:
    said = obey("/dial 0.5", talk)
    assert "60% of queries stay on the edge, mean quality 0.600, 0.150 below all-cloud" in said
    assert obey("/dial", talk) == said
    assert "0.050 above all-cloud" in obey("/dial 1", talk)


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        ("/dial 0.7", Setting(dial=0.7)),
        ("/cost 0.6", Setting(cost_advantage=0.6)),
        ("/budget 0.002", Setting(budget_usd=0.002)),
        ("/weight 50", Setting(cost_weight=50.0)),
    ],
)
def test_a_pool_is_turned_and_has_no_threshold(line: str, setting: Setting) -> None:
    client = HybridClient(pool_bundle(), arms=pool_arms())
    talk = Conversation(client, system=None, limits=Limits())
    said = obey(line, talk)
    assert client.setting == setting
    assert said.startswith(f"{setting}: on average ")
    assert "of what the dearest arm would cost is saved" in said
    talk.ask("0.1 0.5 0.9 text", nothing)
    assert "of what the dearest arm would cost is saved" in obey("/why", talk)


@pytest.mark.parametrize(
    "line", ["/dial 2", "/dial x", "/threshold -1", "/cost nan", "/mode x", "/what", "/"]
)
def test_what_is_wrong_is_told_and_changes_nothing(talk: Conversation, line: str) -> None:
    with pytest.raises(ConfigError):
        obey(line, talk)
    assert talk.client.setting == Setting(threshold=0.5)
    assert talk.mode is None


def test_a_mode_narrows_what_follows(talk: Conversation) -> None:
    assert obey("/mode", talk) == "mode auto"
    assert obey("/mode only_in_cloud", talk) == "mode only_in_cloud"
    assert talk.ask("0.9 easy", nothing).decision.arm == "cloud"
    obey("/mode auto", talk)
    assert talk.ask("0.9 easy", nothing).decision.arm == "edge"


def test_a_mode_that_leaves_no_arm_is_refused() -> None:
    talk = talk_with(None)
    with pytest.raises(NoCapableArm, match="no cloud is configured"):
        obey("/mode only_in_cloud", talk)
    assert talk.mode is None


def test_a_mode_wider_than_the_clients_is_refused() -> None:
    talk = talk_with(cloud_arm(), mode="only_on_device")
    with pytest.raises(ConfigError, match="may only narrow"):
        obey("/mode auto", talk)


def test_why_explains_the_last_answer(talk: Conversation) -> None:
    assert obey("/why", talk) == "nothing was answered yet"
    obey("/dial 0.5", talk)
    talk.ask("0.25 hard", nothing)
    obey("/dial 0", talk)
    said = obey("/why", talk)
    assert said.startswith("cloud (large-1) answers because the score 0.250 is below the threshold")
    assert "estimates the chance that the edge's answer is as good" in said
    assert "threshold 0.450, from dial 0.5" in said
    assert "on average 60% of queries stay on the edge" in said
    assert "decided in" in said


def test_why_scores_what_was_not_scored() -> None:
    talk = talk_with(None)
    talk.ask("0.25 hard", nothing)
    said = obey("/why", talk)
    assert "score 0.250" in said
    assert "it was not asked for, as one arm was left" in said
    assert "left out: cloud: no cloud is configured" in said
    assert "no expectation, since the bundle was calibrated for" in said


def test_stats_count_arms_fallbacks_and_stops() -> None:
    broken = cloud_arm(fails=ArmUnavailable("gone", arm="cloud"))
    talk = talk_with(broken, threshold=0.5)
    assert obey("/stats", talk) == "nothing was answered yet"
    for text in ("0.9 easy", "0.8 easy", "0.1 hard"):
        talk.ask(text, nothing)
        obey("/new", talk)
    said = obey("/stats", talk)
    assert said.startswith("3 answers, 100% on the edge, 1 by fallback, 0 stopped\nedge: 3 answers")


def test_stats_give_the_share_of_the_edge(talk: Conversation) -> None:
    for text in ("0.9 easy", "0.8 easy", "0.7 easy", "0.1 hard"):
        talk.ask(text, nothing)
        obey("/new", talk)
    lines = obey("/stats", talk).splitlines()
    assert lines[0] == "4 answers, 75% on the edge, 0 by fallback, 0 stopped"
    assert [line.split(":")[0] for line in lines[1:]] == ["cloud", "edge"]


def test_new_forgets_and_help_lists_every_word(talk: Conversation) -> None:
    talk.ask("0.9 easy", nothing)
    obey("/new", talk)
    assert talk.messages == ()
    said = obey("/help", talk)
    for word in ("/dial", "/threshold", "/cost", "/mode", "/why", "/stats", "/new", "/quit"):
        assert word in said
