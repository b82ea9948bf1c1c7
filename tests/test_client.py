"""HybridClient: settings at run time, modes, routing without generating, answers, closing."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sdk_fakes import (
    CLOUD_MODEL,
    EDGE_MODEL,
    FakeArm,
    FakeScorer,
    bundle,
    calibration,
    cloud_arm,
    contents,
    dial_table,
    edge_arm,
    user,
)

from hybridroute import ChatCompletion, ChatStream, HybridClient, Setting
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import (
    ArmError,
    ArmUnavailable,
    BundleError,
    ConfigError,
    NoCapableArm,
    RequestError,
)
from hybridroute.edge_runtime.manifest import ALL_CLOUD_THRESHOLD
from hybridroute.edge_runtime.protocols import Capabilities

EASY, MIDDLE, HARD = user("0.95 easy"), user("0.5 middle"), user("0.05 hard")


def _client(**given: Any) -> HybridClient:
    held = {"bundle": bundle(), "edge": edge_arm(), "cloud": cloud_arm(), **given}
    return HybridClient(held.pop("bundle"), **held)


def _ask(client: HybridClient, messages: Any = MIDDLE, **given: Any) -> ChatCompletion:
    return client.chat.completions.create(messages=messages, **given)


def test_answers_from_the_arm_the_router_picks() -> None:
    edge, cloud = edge_arm(), cloud_arm()
    client = _client(edge=edge, cloud=cloud, threshold=0.5)
    easy, hard = _ask(client, EASY, temperature=0.0), _ask(client, HARD)
    assert isinstance(easy, ChatCompletion)
    assert (easy.choices[0].message.content, easy.model) == ("edge", EDGE_MODEL)
    assert (hard.choices[0].message.content, hard.model) == ("cloud", CLOUD_MODEL)
    assert (easy.hybridroute.arm, hard.hybridroute.arm) == ("edge", "cloud")
    assert easy.to_dict()["hybridroute"]["reason"] == "score_at_or_above_threshold"
    assert len(edge.requests) == len(cloud.requests) == 1
    assert edge.requests[0].temperature == 0.0


def test_streams_from_the_arm_the_router_picks() -> None:
    client = _client(threshold=0.5)
    with client.chat.completions.create(messages=HARD, stream=True) as stream:
        assert isinstance(stream, ChatStream)
        assert stream.decision.arm == "cloud"
        assert contents(list(stream)) == ["cloud"]
    assert stream.first_token_ms is not None


def test_the_dial_turns_while_the_client_runs() -> None:
    client = _client(dial=0.0)
    table = dial_table().thresholds
    assert _ask(client).hybridroute.arm == "edge"
    client.dial = 1.0
    assert (client.dial, client.threshold, client.cost_advantage) == (1.0, table[1000], None)
    answer = _ask(client)
    assert answer.hybridroute.arm == "cloud"
    assert (answer.hybridroute.dial, answer.hybridroute.threshold) == (1.0, table[1000])
    client.threshold = 0.4
    assert (client.dial, client.threshold, client.cost_advantage) == (None, 0.4, None)
    assert _ask(client).hybridroute.setting_kind == "threshold"
    client.cost_advantage = 0.25
    assert (client.dial, client.threshold, client.cost_advantage) == (None, 0.75, 0.25)
    client.setting = Setting(dial=0.5)
    assert client.setting == Setting(dial=0.5)


def test_a_setting_for_one_request_leaves_the_client_s() -> None:
    client = _client(dial=0.0)
    for one in ({"dial": 1.0}, {"threshold": 0.6}, {"cost_advantage": 0.1}):
        assert _ask(client, **one).hybridroute.arm == "cloud"
        assert client.route(MIDDLE, **one).arm == "cloud"
    assert client.setting == Setting(dial=0.0)
    assert _ask(client).hybridroute.arm == "edge"


def test_a_refused_setting_changes_nothing() -> None:
    client = _client(dial=0.25)
    before = (client.setting, client.threshold)
    for name in ("dial", "threshold", "cost_advantage"):
        with pytest.raises(ConfigError, match=name):
            setattr(client, name, 1.5)
    with pytest.raises(ConfigError, match="setting is a float"):
        client.setting = 0.5
    assert (client.setting, client.threshold) == before


def test_the_default_is_the_middle_of_the_dial() -> None:
    assert _client().setting == Setting(dial=0.5)


def test_one_setting_at_birth() -> None:
    with pytest.raises(ConfigError, match="dial and cost_advantage"):
        _client(dial=0.5, cost_advantage=0.5)


def test_expectations_are_readable_before_any_call() -> None:
    scorer_bundle = bundle()
    client = _client(bundle=scorer_bundle, dial=0.25)
    assert client.calibrated
    assert client.expect().cloud_share == pytest.approx(0.2)
    assert client.expect(dial=0.7).cloud_share == pytest.approx(0.56)
    assert client.expect(dial=0.7).quality == pytest.approx(0.68)
    assert client.dial == 0.25
    assert scorer_bundle.loads == 0


def test_routing_generates_nothing_and_loads_no_arm() -> None:
    edge, cloud = edge_arm(), cloud_arm()
    client = _client(edge=edge, cloud=cloud, threshold=0.5)
    decision = client.route(HARD)
    assert (decision.arm, decision.score) == ("cloud", 0.05)
    assert edge.requests == cloud.requests == []
    assert not edge.warm


def test_routing_looks_at_what_the_request_needs() -> None:
    client = _client(edge=edge_arm(capabilities=Capabilities(context_tokens=20)), threshold=0.0)
    assert client.route(HARD).arm == "edge"
    assert client.route(HARD, max_tokens=30).left_out["edge"].startswith("prompt and answer need")
    assert client.route(HARD, tools=[{"type": "function"}]).reason == "only_capable_arm"
    assert client.route(HARD, response_format={"type": "json_object"}).arm == "cloud"


def test_routing_shows_the_score_also_where_it_changes_nothing() -> None:
    client = _client(cloud=None)
    decision = client.route(HARD)
    assert (decision.arm, decision.reason, decision.score) == ("edge", "only_capable_arm", 0.05)
    assert client.route(HARD, always_score=False).score is None
    assert _ask(client, HARD).hybridroute.score is None


def test_without_a_cloud_the_edge_answers_and_says_why() -> None:
    answer = _ask(_client(cloud=None), HARD)
    assert answer.hybridroute.arm == "edge"
    assert answer.hybridroute.left_out == {"cloud": "no cloud is configured"}
    assert not answer.hybridroute.calibrated


@pytest.mark.parametrize(
    ("mode", "arm", "messages"),
    [("only_on_device", "edge", HARD), ("only_in_cloud", "cloud", EASY)],
)
def test_a_mode_forces_its_arm(mode: Any, arm: str, messages: Any) -> None:
    held = bundle()
    client = _client(bundle=held, mode=mode)
    answer = _ask(client, messages)
    assert client.mode == mode
    assert answer.choices[0].message.content == arm
    assert answer.hybridroute.reason == f"mode_{mode}"
    assert held.loads == 0, "nothing had to be scored"
    narrowed = _ask(_client(threshold=0.5), messages, mode=mode)
    assert narrowed.hybridroute.reason == f"mode_{mode}"


PREFERENCES = [("prefer_on_device", "edge", "cloud"), ("prefer_in_cloud", "cloud", "edge")]


@pytest.mark.parametrize(("mode", "first", "other"), PREFERENCES)
def test_a_preferred_place_answers_all_it_can(mode: Any, first: str, other: str) -> None:
    held = bundle()
    client = _client(bundle=held, mode=mode)
    for messages in (EASY, HARD):
        decision = _ask(client, messages).hybridroute
        assert (decision.arm, decision.reason) == (first, f"mode_{mode}")
        assert f"the mode is {mode}" in decision.explain()
    assert held.loads == 0, "nothing had to be scored"
    assert client.route(HARD).score == 0.05
    assert _ask(_client(threshold=0.5), HARD, mode=mode).hybridroute.arm == first


@pytest.mark.parametrize(("mode", "first", "other"), PREFERENCES)
@pytest.mark.parametrize("stream", [False, True])
def test_the_other_place_answers_what_the_first_cannot(
    mode: Any, first: str, other: str, stream: bool
) -> None:
    make = {"edge": edge_arm, "cloud": cloud_arm}

    def ask(client: HybridClient, **given: Any) -> Any:
        got = client.chat.completions.create(messages=EASY, stream=stream, **given)
        return (list(got)[-1] if isinstance(got, ChatStream) else got).hybridroute

    failing = make[first](fails=ArmUnavailable("no route", arm=first))
    decision = ask(_client(**{first: failing}, mode=mode))
    assert (decision.arm, decision.reason, decision.mode) == (other, "fallback", mode)
    assert decision.left_out == {first: "it failed: ArmUnavailable: no route"}
    lacking = make[first](capabilities=Capabilities())
    decision = ask(_client(**{first: lacking}, mode=mode), tools=[{"type": "function"}])
    assert (decision.arm, decision.reason) == (other, "only_capable_arm")
    assert decision.left_out == {first: "it takes no tools"}


def test_a_preference_may_be_narrowed_and_forbids_nothing() -> None:
    client = _client(mode="prefer_on_device")
    for mode in ("only_on_device", "only_in_cloud", "auto", "prefer_in_cloud"):
        assert client.route(MIDDLE, mode=mode).mode == mode
    with pytest.raises(ConfigError, match="may only narrow"):
        _client(mode="only_on_device").route(MIDDLE, mode="prefer_on_device")


def test_a_preferred_cloud_that_is_not_there() -> None:
    decision = _ask(_client(cloud=None, mode="prefer_in_cloud")).hybridroute
    assert (decision.arm, decision.reason) == ("edge", "only_capable_arm")


def test_a_request_never_widens_the_mode() -> None:
    client = _client(mode="only_on_device")
    assert _ask(client, mode="only_on_device").hybridroute.arm == "edge"
    for wider in ("auto", "only_in_cloud"):
        with pytest.raises(ConfigError, match="may only narrow"):
            _ask(client, mode=wider)
        with pytest.raises(ConfigError, match="may only narrow"):
            client.route(MIDDLE, mode=wider)


def test_a_mode_without_its_arm_names_every_reason() -> None:
    client = _client(cloud=None)
    with pytest.raises(NoCapableArm, match="cloud: no cloud is configured; edge: the mode is"):
        _ask(client, mode="only_in_cloud")


def test_out_of_scope_goes_where_it_was_told() -> None:
    unknown = bundle(FakeScorer(unknown_share=0.9))
    assert _ask(_client(bundle=unknown)).hybridroute.arm == "cloud"
    answer = _ask(_client(bundle=unknown, out_of_scope_arm="edge"), HARD)
    assert (answer.hybridroute.arm, answer.hybridroute.reason) == ("edge", "out_of_scope")


@pytest.mark.parametrize("stream", [False, True])
def test_fallback_can_be_switched_off(stream: bool) -> None:
    cloud = cloud_arm(fails=ArmUnavailable("down", arm="cloud"))
    with_it, without = _client(cloud=cloud), _client(cloud=cloud, fallback=False)

    def ask(client: HybridClient) -> str:
        got = client.chat.completions.create(messages=HARD, stream=stream, threshold=0.5)
        last = list(got)[-1] if isinstance(got, ChatStream) else got
        return last.hybridroute.arm

    assert ask(with_it) == "edge"
    with pytest.raises(ArmUnavailable):
        ask(without)


def test_fallback_stays_within_the_mode() -> None:
    edge = edge_arm(fails=ArmUnavailable("out of memory", arm="edge"))
    cloud = cloud_arm()
    client = _client(edge=edge, cloud=cloud)
    with pytest.raises(ArmUnavailable):
        _ask(client, EASY, mode="only_on_device")
    assert cloud.requests == []


def test_fallback_stays_with_arms_that_can() -> None:
    edge = edge_arm(capabilities=Capabilities())
    cloud = cloud_arm(fails=ArmUnavailable("down", arm="cloud"))
    with pytest.raises(ArmUnavailable):
        _ask(_client(edge=edge, cloud=cloud), tools=[{"type": "function"}])
    assert edge.requests == []


def test_warm_up_loads_the_router_and_the_edge_only() -> None:
    held, edge, cloud = bundle(), edge_arm(), cloud_arm()
    _client(bundle=held, edge=edge, cloud=cloud).warm_up()
    assert held.loads == 1
    assert (edge.warm, cloud.warm) == (True, False)
    assert held.fake.texts != []


def test_closing() -> None:
    edge, cloud = edge_arm(), cloud_arm()
    with _client(edge=edge, cloud=cloud) as client:
        waiting = client.chat.completions.create(messages=EASY, stream=True)
    assert edge.closed
    assert cloud.closed
    client.close()
    for use in (
        lambda: _ask(client),
        lambda: client.chat.completions.create(messages=EASY, stream=True),
        lambda: next(waiting),
        lambda: client.route(EASY),
        client.warm_up,
    ):
        with pytest.raises(ConfigError, match="closed"):
            use()
    assert edge.requests == []


def test_wrong_arguments_at_birth() -> None:
    with pytest.raises(ConfigError, match="mode is 'cloud'"):
        _client(mode="cloud")
    with pytest.raises(ConfigError, match="out_of_scope_arm is 'moon'"):
        _client(out_of_scope_arm="moon")
    with pytest.raises(ConfigError, match="router_threads"):
        _client(router_threads=0)
    with pytest.raises(ConfigError, match="no cloud is configured"):
        _client(mode="only_in_cloud", cloud=None)
    with pytest.raises(BundleError, match="text rule"):
        _client(bundle=bundle(text_rule="other"))


def test_a_request_error_asks_nobody() -> None:
    edge, cloud = edge_arm(), cloud_arm()
    client = _client(edge=edge, cloud=cloud)
    for messages in ([], user(""), user(" \n"), [{"role": "system", "content": "hi"}]):
        with pytest.raises(RequestError):
            _ask(client, messages)
        with pytest.raises(RequestError):
            client.route(messages)
    assert edge.requests == cloud.requests == []


def test_the_client_s_parts_are_readable() -> None:
    held = bundle(calibration=calibration(flat=True))
    client = _client(bundle=held)
    assert client.bundle is held
    assert client.setting == Setting(cost_advantage=0.5)
    assert client.threshold == 0.5
    client.cost_advantage = 0.0
    assert client.threshold == ALL_CLOUD_THRESHOLD


_ON_DEVICE_ONLY = """
import sys
sys.path.insert(0, sys.argv[1])
calls = []
sys.addaudithook(lambda event, args: calls.append(event) if event.startswith("socket.") else None)
from sdk_fakes import bundle, edge_arm, user
from hybridroute import HybridClient
with HybridClient(bundle(), edge=edge_arm(), mode="only_on_device") as client:
    client.warm_up()
    client.route(user("0.1 hard"))
    answer = client.chat.completions.create(messages=user("0.1 hard"))
    assert answer.hybridroute.arm == "edge"
    assert list(client.chat.completions.create(messages=user("0.1 hard"), stream=True))
with HybridClient(bundle(), mode="only_on_device") as client:
    client.route(user("0.1 hard"))
banned = {"requests", "urllib3", "hybridroute.cloud", "http.client", "ssl"} & set(sys.modules)
assert not banned, banned
assert not calls, calls
print("clean")
"""


def test_only_on_device_has_no_network_code_at_all() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ON_DEVICE_ONLY, str(Path(__file__).parent)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "clean\n"


def test_a_bundle_may_be_a_path(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle at"):
        HybridClient(tmp_path, edge=edge_arm())
    assert isinstance(_client().bundle, Bundle)


def test_a_setting_of_any_kind_at_birth_and_for_one_request() -> None:
    client = _client(setting=Setting(cost_advantage=0.25))
    assert client.setting == Setting(cost_advantage=0.25)
    above = Setting(threshold=0.6)
    assert client.route(MIDDLE, setting=above).threshold == 0.6
    assert _ask(client, MIDDLE, setting=above).hybridroute.arm == "cloud"
    assert client.expect(setting=above).setting == above
    assert client.setting == Setting(cost_advantage=0.25)
    with pytest.raises(ConfigError, match="setting and dial are given"):
        client.route(MIDDLE, setting=above, dial=0.5)
    with pytest.raises(ConfigError, match="setting is a float"):
        client.route(MIDDLE, setting=0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "asked",
    [{"logit_bias": {"50256": -100}}, {"web_search_options": {}}],
    ids=str,
)
def test_routing_leaves_out_who_create_leaves_out(asked: dict[str, Any]) -> None:
    client = _client(edge=edge_arm(capabilities=Capabilities()), threshold=0.5)
    assert client.route(EASY).arm == "edge"
    assert client.route(EASY, **asked).arm == _ask(client, EASY, **asked).hybridroute.arm == "cloud"


def test_an_arm_that_fails_to_close_leaves_nothing_open(tmp_path: Path) -> None:
    class Stuck(FakeArm):
        def close(self) -> None:
            raise ArmError("it hangs", arm=self.name)

    cloud = cloud_arm()
    client = _client(edge=Stuck("edge", EDGE_MODEL, "device"), cloud=cloud)
    client.log_to(tmp_path / "decisions.db")
    with pytest.raises(ArmError, match="it hangs"):
        client.close()
    assert cloud.closed
    assert "hybridroute-log" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConfigError, match="closed"):
        _ask(client)
