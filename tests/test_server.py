"""The server over fakes: answers, streams, Decisions, the dial at run time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from sdk_fakes import CLOUD_MODEL, EDGE_MODEL, answer, bundle, calibration, cloud_arm, edge_arm
from server_run import ServerRun, pool_serving, serving

from hybridroute.controller import ControllerSettings
from hybridroute.controller_targets import Share
from hybridroute.edge_runtime.chat import CompletionChunk, Usage
from hybridroute.edge_runtime.errors import (
    ArmRefused,
    ArmUnavailable,
    ModelMissing,
    StreamInterrupted,
)
from hybridroute.edge_runtime.prices import Prices
from hybridroute.edge_runtime.promises import PromiseRow, Promises
from hybridroute.edge_runtime.protocols import Capabilities
from hybridroute.server.chat_body import FIELDS

EASY, HARD = "0.95 easy", "0.05 hard"
COUNTS = CompletionChunk(
    id="s-1",
    created=1,
    model="m",
    choices=(),
    usage=Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5),
)


@pytest.fixture(scope="module")
def server() -> Iterator[ServerRun]:
    with ServerRun() as running:
        yield running


@pytest.fixture(autouse=True)
def _middle(server: ServerRun) -> None:
    server.put("/v1/hybridroute/dial", {"dial": 0.5})


def _events(answered: requests.Response) -> list[Any]:
    assert answered.headers["content-type"] == "text/event-stream; charset=utf-8"
    lines = [line for line in answered.text.split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines)
    return [json.loads(line[6:]) if line != "data: [DONE]" else "[DONE]" for line in lines]


@pytest.mark.parametrize(("text", "arm"), [(EASY, "edge"), (HARD, "cloud")])
def test_an_answer_carries_its_decision(server: ServerRun, text: str, arm: str) -> None:
    answered = server.ask(text, model="hybridroute")
    body, headers = answered.json(), answered.headers
    model = {"edge": EDGE_MODEL, "cloud": CLOUD_MODEL}[arm]
    assert (body["object"], body["model"]) == ("chat.completion", model)
    assert body["choices"][0]["message"]["content"] == arm
    decision = body["hybridroute"]
    assert (decision["arm"], decision["model"]) == (arm, model)
    assert decision["explanation"].startswith(f"{arm} ({model}) answers because the score")
    assert headers["x-hybridroute-arm"] == arm
    assert headers["x-hybridroute-id"] == decision["id"]
    assert headers["x-hybridroute-reason"] == decision["reason"]
    assert float(headers["x-hybridroute-score"]) == pytest.approx(decision["score"])
    assert float(headers["x-hybridroute-threshold"]) == pytest.approx(0.45)
    assert headers["x-hybridroute-setting"] == "dial=0.5"


def test_every_chunk_carries_the_decision(server: ServerRun) -> None:
    answered = server.ask(HARD, stream=True)
    *chunks, done = _events(answered)
    assert done == "[DONE]"
    assert "".join(one["choices"][0]["delta"]["content"] or "" for one in chunks) == "cloud"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert {one["hybridroute"]["arm"] for one in chunks} == {"cloud"}
    assert {one["hybridroute"]["id"] for one in chunks} == {answered.headers["x-hybridroute-id"]}
    assert all("usage" not in one for one in chunks)


def test_the_usage_chunk_comes_last_and_only_if_asked_for() -> None:
    def script() -> list[Any]:
        return [*answer("a", "b"), COUNTS]

    arm, dear = edge_arm(script=script()), cloud_arm()
    dear.prices = Prices(in_usd_per_million=1.0, out_usd_per_million=2.0)
    with ServerRun(serving(edge=arm, cloud=dear)) as server:
        *chunks, usage, _ = _events(
            server.ask(EASY, stream=True, stream_options={"include_usage": True})
        )
        assert (usage["choices"], usage["usage"]["total_tokens"]) == ([], 5)
        assert usage["hybridroute"]["arm"] == "edge"
        assert all(one["choices"] and one["usage"] is None for one in chunks)
        arm.script = script()
        *chunks, _ = _events(server.ask(EASY, stream=True))
        assert all(one["choices"] and "usage" not in one for one in chunks)
        stats = server.get("/v1/hybridroute/stats").json()
        assert stats["arms"]["edge"]["answer_tokens"] == 4
        assert stats["cost"]["saved_usd"] == pytest.approx((6 * 1.0 + 4 * 2.0) / 1e6)


@pytest.mark.parametrize(
    ("fields", "headers", "arm"),
    [
        ({}, {}, "edge"),
        ({"dial": 1.0}, {}, "cloud"),
        ({"model": "hybridroute:1"}, {}, "cloud"),
        ({}, {"X-Hybridroute-Dial": "1"}, "cloud"),
        ({"mode": "only_in_cloud"}, {}, "cloud"),
        ({}, {"X-Hybridroute-Mode": "only_in_cloud"}, "cloud"),
        ({"threshold": 0.99}, {}, "cloud"),
        ({"cost_advantage": 0.01}, {}, "cloud"),
    ],
)
def test_dial_and_mode_of_one_request(
    server: ServerRun, fields: dict[str, Any], headers: dict[str, str], arm: str
) -> None:
    body = {"messages": [{"role": "user", "content": "0.6 middling"}], **fields}
    assert server.post(body, headers=headers).json()["hybridroute"]["arm"] == arm
    assert server.get("/v1/hybridroute/dial").json()["dial"] == 0.5


def test_openais_fields_reach_the_arm() -> None:
    arm = cloud_arm()
    with ServerRun(serving(cloud=arm)) as server:
        tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
        server.ask(HARD, n=2, stop=["a"], seed=4, tools=[tool], tool_choice="auto", user="u")
        (request,) = arm.requests
        assert (request.n, request.stop, request.seed) == (2, ("a",), 4)
        assert (request.tools, request.tool_choice) == ((tool,), "auto")
        assert request.extra == {"user": "u"}


def test_the_dial_is_read_and_turned(server: ServerRun) -> None:
    before = server.get("/v1/hybridroute/dial")
    assert (before.json()["dial"], before.json()["threshold"]) == (0.5, 0.45)
    turned = server.put("/v1/hybridroute/dial", {"dial": 1})
    assert turned.json()["dial"] == 1.0
    assert turned.json()["expectation"]["quality"] == pytest.approx(0.8)
    assert turned.headers["etag"] != before.headers["etag"]
    assert server.ask("0.6 middling").json()["hybridroute"]["arm"] == "cloud"


@pytest.mark.parametrize("body", [{"threshold": 0.3}, {"cost_advantage": 0.7}])
def test_the_other_ways_to_say_it(server: ServerRun, body: dict[str, float]) -> None:
    turned = server.put("/v1/hybridroute/dial", body).json()
    assert turned["threshold"] == pytest.approx(0.3)
    assert turned["dial"] is None


def test_the_curve_says_what_every_position_does(server: ServerRun) -> None:
    curve = server.get("/v1/hybridroute/curve").json()
    assert (curve["knob"], curve["calibrated"], curve["reason"]) == ("dial", True, None)
    assert [point["at"] for point in curve["points"]] == [step / 100 for step in range(101)]
    middle = curve["points"][50]
    assert middle["put"] == {"dial": 0.5}
    assert middle["cloud_share"] == pytest.approx(0.4)
    assert middle["quality_drop"] == pytest.approx(0.15)


def test_a_flat_bundle_is_turned_by_cost_advantage() -> None:
    flat = bundle(calibration=calibration(flat=True))
    with ServerRun(serving(bundle=flat)) as server:
        curve = server.get("/v1/hybridroute/curve").json()
        assert curve["knob"] == "cost_advantage"
        assert curve["points"][30]["put"] == {"cost_advantage": 0.7}
        assert server.put("/v1/hybridroute/dial", {"dial": 0.3}).status_code == 400


def test_models(server: ServerRun) -> None:
    listed = server.get("/v1/models").json()
    assert [one["id"] for one in listed["data"]] == ["hybridroute"]
    assert server.get("/v1/models/hybridroute").json() == listed["data"][0]
    missing = server.get("/v1/models/gpt-4o")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")


def test_a_decision_without_an_answer(server: ServerRun) -> None:
    body = {"messages": [{"role": "user", "content": HARD}]}
    before = server.get("/v1/hybridroute/stats").json()["answers"]
    decided = server.post(body, "/v1/hybridroute/route")
    assert decided.json()["hybridroute"]["arm"] == "cloud"
    assert decided.headers["x-hybridroute-arm"] == "cloud"
    assert server.get("/v1/hybridroute/stats").json()["answers"] == before


def test_a_decision_without_an_answer_leaves_out_who_cannot_answer() -> None:
    plain = edge_arm(capabilities=Capabilities())
    with ServerRun(serving(edge=plain)) as server:
        asked = {"messages": [{"role": "user", "content": EASY}], "web_search_options": {}}
        for path in ("/v1/hybridroute/route", "/v1/chat/completions"):
            assert server.post(asked, path).json()["hybridroute"]["arm"] == "cloud"


def test_a_conversation_stays_where_it_was_taken(server: ServerRun) -> None:
    talk = {"messages": [{"role": "user", "content": HARD}], "session": "talk-1"}
    assert server.post(talk).json()["hybridroute"]["arm"] == "cloud"
    talk["messages"] = [{"role": "user", "content": "0.9 commit it"}]
    stays = server.post(talk).json()["hybridroute"]
    assert (stays["arm"], stays["reason"]) == ("cloud", "session_continues")
    del talk["session"]
    assert (
        server.post(talk, headers={"X-Hybridroute-Session": "talk-2"}).json()["hybridroute"]["arm"]
        == "edge"
    )


def test_a_promise_the_bundle_does_not_hold_is_refused(server: ServerRun) -> None:
    for body in ({"promise": {"max_drop": 0.02}}, {"promise": {"max": 1}}, {"promise": 3}):
        assert server.put("/v1/hybridroute/dial", body).status_code == 400
    assert server.get("/v1/hybridroute/dial").json()["dial"] == 0.5


def test_a_promise_is_put_in_force_and_says_what_stands_behind_it() -> None:
    held = Promises(
        source="mine.jsonl",
        n=1000,
        n_seen_in_training=0,
        quality_low=0.0,
        quality_high=1.0,
        kept=(
            PromiseRow(
                kind="absolute",
                max_drop=0.02,
                confidence=0.9,
                feasible=True,
                threshold=0.63,
                cost_advantage=0.4,
                drop=0.012,
                drop_bound=0.018,
                test="three-valued",
            ),
        ),
    )
    with ServerRun(serving(bundle=bundle(promises=held))) as server:
        info = server.get("/v1/hybridroute/info").json()
        assert (info["promise"], len(info["promises"])) == (None, 1)
        put = server.put("/v1/hybridroute/dial", {"promise": {"max_drop": 0.02}})
        assert put.status_code == 200
        assert (put.json()["dial"], put.json()["threshold"]) == (None, 0.63)
        standing = put.json()["expectation"]["promise"]
        assert (standing["drop"], standing["drop_bound"], standing["n"]) == (0.012, 0.018, 1000)
        assert server.get("/v1/hybridroute/info").json()["promise"] == standing
        assert server.get("/v1/hybridroute/dial").json() == put.json()
        assert server.ask(EASY).json()["hybridroute"]["promise"] == standing
        strict = server.put("/v1/hybridroute/dial", {"promise": {"max_drop": 0.01}})
        assert strict.status_code == 400
        assert "strictest limit is 0.02" in strict.json()["error"]["message"]
        _check_document(server)


def test_running_counts_and_last_decisions() -> None:
    with ServerRun() as server:
        for text in (EASY, EASY, EASY, HARD):
            server.ask(text)
        stats = server.get("/v1/hybridroute/stats").json()
        assert (stats["answers"], stats["cost_advantage"]) == (4, 0.75)
        assert [one["arm"] for one in stats["last"]] == ["cloud", "edge", "edge", "edge"]
        assert stats["arms"]["edge"]["total_ms_p50"] > 0
        metrics = server.get("/metrics")
        assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
        line = (
            'hybridroute_answers_total{arm="edge",outcome="done",'
            'reason="score_at_or_above_threshold"} 3.0'
        )
        assert line in metrics.text


def test_a_request_is_counted_as_refused_or_as_an_answer_and_never_as_both() -> None:
    broken = edge_arm(fails=ArmRefused("bad key", arm="edge", status=401))
    with ServerRun(serving(edge=broken, cloud=None)) as server:
        for stream in (False, True):
            assert server.ask(EASY, stream=stream).status_code == 502
        assert server.ask(EASY, n=0).status_code == 400
        assert server.ask(EASY, mode="only_in_cloud").status_code == 400
        text = server.get("/metrics").text
    counted = dict(
        line.rsplit(" ", 1)
        for line in text.splitlines()
        if line.startswith(("hybridroute_refused_total{", "hybridroute_answers_total{"))
    )
    assert counted == {
        'hybridroute_refused_total{code="invalid_request"}': "1.0",
        'hybridroute_refused_total{code="no_capable_arm"}': "1.0",
        'hybridroute_answers_total{arm="edge",outcome="failed",reason="only_capable_arm"}': "2.0",
    }


@pytest.mark.parametrize(
    ("given", "place", "share", "said"),
    [
        ({"cloud": None}, "device", 1.0, "no cloud is configured"),
        ({"cloud": None, "mode": "only_on_device"}, "device", 1.0, "the mode is only_on_device"),
        ({"edge": None, "mode": "only_in_cloud"}, "cloud", 0.0, "the mode is only_in_cloud"),
        ({"unable": {"cloud": "The cloud has no key."}}, "device", 1.0, "The cloud has no key."),
    ],
)
def test_where_one_arm_answers_everything_no_share_is_promised(
    given: dict[str, Any], place: str, share: float, said: str
) -> None:
    with ServerRun(serving(**given)) as server:
        dial = server.get("/v1/hybridroute/dial").json()
        curve = server.get("/v1/hybridroute/curve").json()
        jsonschema = pytest.importorskip("jsonschema")
        document = server.get("/openapi.json").json()
    for body in (dial, curve):
        assert body["only_arm"]["place"] == place
        assert said in body["only_arm"]["why"]
    assert ("--cloud-model" in dial["only_arm"]["why"]) is (said == "no cloud is configured")
    for expected in (dial["expectation"], *curve["points"]):
        assert (expected["cost_advantage"], expected["cloud_share"]) == (share, 1.0 - share)
        assert expected["quality"] is expected["quality_drop"] is None
        assert expected["reason"] == dial["only_arm"]["why"]
    for name, body in (("Dial", dial), ("Curve", curve)):
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.validate(body, schema)


def test_of_two_arms_the_shares_are_the_settings(server: ServerRun) -> None:
    for path in ("dial", "curve"):
        assert server.get(f"/v1/hybridroute/{path}").json()["only_arm"] is None


def test_a_fallback_is_an_answer() -> None:
    broken = edge_arm(fails=ArmUnavailable("asleep", arm="edge"))
    with ServerRun(serving(edge=broken)) as server:
        for stream in (False, True):
            answered = server.ask(EASY, stream=stream)
            assert answered.headers["x-hybridroute-reason"] == "fallback"
            assert answered.headers["x-hybridroute-fallback-from"] == "edge"


def test_a_stream_that_breaks_ends_in_an_error_event() -> None:
    broken = [*answer("a")[:-1], StreamInterrupted("cut off", arm="edge")]
    with ServerRun(serving(edge=edge_arm(script=broken))) as server:
        *_, last = _events(server.ask(EASY, stream=True))
        assert last["error"]["code"] == "stream_interrupted"
        assert server.get("/v1/hybridroute/stats").json()["arms"]["edge"]["failures"] == 1


def test_a_missing_model_is_told_and_the_cloud_answers() -> None:
    class Absent(type(edge_arm())):
        def warm_up(self) -> None:
            raise ModelMissing("no such file; pull it")

    arm = Absent("edge", EDGE_MODEL, "device", fails=ModelMissing("no such file; pull it"))
    with ServerRun(serving(edge=arm, missing=("a sentence",))) as server:
        assert server.get("/ready").json()["missing"] == ["a sentence", "no such file; pull it"]
        assert server.ask(EASY).json()["hybridroute"]["reason"] == "fallback"


def test_without_any_arm_that_loads_it_is_not_ready() -> None:
    class Absent(type(edge_arm())):
        def warm_up(self) -> None:
            raise ModelMissing("no such file; pull it")

    first = serving(edge=Absent("edge", EDGE_MODEL, "device"), cloud=None)
    server = ServerRun(first)
    with pytest.raises(AssertionError, match="did not start"), server:
        pass
    assert server.get("/health").json()["status"] == "ok"
    ready = server.get("/ready")
    assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
    server.__exit__()


def test_the_document_names_every_path(server: ServerRun) -> None:
    document = server.get("/openapi.json").json()
    served = {
        (route.path, method.lower())
        for route in server.routes
        if not route.path.startswith("/page/") and route.path != "/"
        for method in route.methods - {"HEAD"}
    }
    named = {(path, method) for path, held in document["paths"].items() for method in held}
    assert named == served
    assert set(document["components"]["schemas"]["ChatRequest"]["properties"]) == set(FIELDS)


def test_the_document_describes_what_is_answered(server: ServerRun) -> None:
    _check_document(server)


def _check_document(server: ServerRun) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    document = server.get("/openapi.json").json()
    answers = {
        "ChatCompletion": server.ask(EASY).json(),
        "Error": server.ask(EASY, n=0).json(),
        "Dial": server.get("/v1/hybridroute/dial").json(),
        "Curve": server.get("/v1/hybridroute/curve").json(),
        "Stats": server.get("/v1/hybridroute/stats").json(),
        "Info": server.get("/v1/hybridroute/info").json(),
        "ModelList": server.get("/v1/models").json(),
        "Ready": server.get("/ready").json(),
    }
    for name, body in answers.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.validate(body, schema)


def test_a_controller_is_seen_at_the_dial_in_the_counts_and_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    held = ControllerSettings(hold=Share(cloud_share=0.2), every_s=0.01, min_answers=2)
    first = serving(dial=0.5)
    with caplog.at_level("INFO"), ServerRun(first) as server:
        assert server.get("/v1/hybridroute/dial").json()["controller"] is None
        first.client.control(held)
        for _ in range(4):
            server.ask(HARD)
            time.sleep(0.02)
        told = server.get("/v1/hybridroute/dial").json()
        metrics = server.get("/metrics").text
    assert told["dial"] < 0.5
    assert told["controller"]["holds"] == {"cloud_share": 0.2}
    last = told["controller"]["changes"][0]
    assert last["cause"] == "1 of requests to the cloud is over 0.2"
    assert (last["measured"], last["target"]) == (1.0, 0.2)
    assert last["after"] == {"kind": "dial", "value": told["dial"]}
    assert f"hybridroute_dial {told['dial']}" in metrics
    assert "hybridroute_controller_measured 1.0" in metrics
    assert "1 of requests to the cloud is over 0.2" in caplog.text


@pytest.mark.parametrize(
    "said", [{"dial": 0.6}, {"cost_advantage": 0.4}, {"budget_usd": 0.006}, {"cost_weight": 40.0}]
)
def test_a_pool_is_turned_by_any_of_its_settings(said: dict[str, float]) -> None:
    with ServerRun(pool_serving()) as server:
        turned = server.put("/v1/hybridroute/dial", said)
        body = {"messages": [{"role": "user", "content": "0.1 0.5 0.9 x"}]}
        answer = server.post(body).json()["hybridroute"]
        own = server.post({**body, "cost_weight": 0.0}).json()["hybridroute"]
        _check_document(server)
    assert turned.status_code == 200
    (kind,) = said
    assert turned.json()["setting"] == {"kind": kind, "value": said[kind]}
    assert turned.json()["expectation"]["cost_usd"] == pytest.approx(0.006)
    assert (answer["setting_kind"], answer[kind], answer["threshold"]) == (kind, said[kind], None)
    assert (own["setting_kind"], own["arm"]) == ("cost_weight", "big")


def test_the_document_names_every_field_of_a_decision(server: ServerRun) -> None:
    decision = server.ask(EASY).json()["hybridroute"]
    document = server.get("/openapi.json").json()
    named = document["components"]["schemas"]["Decision"]["properties"]
    assert set(decision) == set(named)
