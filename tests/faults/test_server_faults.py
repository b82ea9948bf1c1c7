"""The server under bad bodies, wrong callers, vanishing clients and two writers at once."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sdk_fakes import answer, cloud_arm, edge_arm
from server_run import ServerRun, serving
from slow_arm import SlowArm
from span_catcher import SpanCatcher

from hybridroute.edge_runtime.errors import ArmRefused, ArmTimeout, ConfigError, ContextOverflow
from hybridroute.server.options import ServerOptions

CHAT = "/v1/chat/completions"
KEY = "k" * 32
EASY = [{"role": "user", "content": "0.95 easy"}]


@pytest.fixture(scope="module")
def server() -> Iterator[ServerRun]:
    with ServerRun(max_body_bytes=20_000, max_answer_tokens=50) as running:
        yield running


def _refused(answered: requests.Response, status: int, code: str | None = None) -> dict[str, Any]:
    """The error object, which is OpenAI's in every case."""
    assert answered.status_code == status, answered.text
    error: dict[str, Any] = answered.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    assert error["code"] == code
    return error


def _raw(server: ServerRun, body: bytes, **headers: str) -> requests.Response:
    held = {"Content-Type": "application/json", **headers}
    return requests.post(server.url + CHAT, data=body, headers=held, timeout=20)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"\xff\xfe",
        b'{"temperature": NaN, "messages": []}',
        b'{"n": Infinity}',
        b'{"n": ' + b"9" * 5000 + b"}",
        b'{"messages": [{"role": "user", "content": "x"}], "model": ["hybridroute"]}',
        b'{"messages": {"role": "user"}}',
    ],
)
def test_malformed_json_and_wrong_types(server: ServerRun, body: bytes) -> None:
    answered = _raw(server, body)
    assert answered.status_code == 400
    assert answered.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize("depth", [70, 900, 9_000])
def test_json_nested_out_of_reason(server: ServerRun, depth: int) -> None:
    error = _refused(_raw(server, b'{"tools": ' + b"[" * depth + b"]" * depth + b"}"), 400)
    assert "levels deep" in error["message"]


def test_a_nested_tool_schema_reaches_the_cloud() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(20):
        schema = {"type": "object", "properties": {"inner": schema}}
    tool = {"type": "function", "function": {"name": "f", "parameters": schema}}
    arm = cloud_arm()
    with ServerRun(serving(cloud=arm)) as server:
        assert server.ask("0.05 hard", tools=[tool]).status_code == 200
    assert arm.requests[0].tools == (tool,)


def test_an_oversized_body(server: ServerRun) -> None:
    answered = server.ask("x" * 30_000)
    _refused(answered, 413, "request_too_large")
    assert answered.headers["connection"] == "close"


def test_an_oversized_body_of_unknown_length(server: ServerRun) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(30):
            yield b"x" * 1000

    headers = {"Content-Type": "application/json"}
    answered = requests.post(server.url + CHAT, data=pieces(), headers=headers, timeout=20)
    _refused(answered, 413, "request_too_large")


def test_a_body_that_never_comes() -> None:
    with ServerRun(body_timeout_s=0.2) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as line:
            head = f"POST {CHAT} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 10\r\n\r\n{{"
            line.sendall(head.encode())
            assert line.recv(4096).startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize("kind", ["text/plain", "", "application/x-www-form-urlencoded"])
def test_a_body_that_a_browser_would_send_unasked(server: ServerRun, kind: str) -> None:
    body = json.dumps({"messages": EASY}).encode()
    _refused(_raw(server, body, **{"Content-Type": kind}), 415, "unsupported_media_type")


def test_too_many_tokens(server: ServerRun) -> None:
    assert _refused(server.ask("x", max_tokens=51), 400, "max_tokens_too_large")["param"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"dial": 1.01}, None),
        ({"dial": "high"}, None),
        ({"mode": "cheapest"}, None),
        ({"tempreature": 1}, "unknown_parameter"),
        ({"model": "hybridroute:2"}, None),
    ],
)
def test_what_a_request_may_not_say(
    server: ServerRun, fields: dict[str, Any], code: str | None
) -> None:
    error = _refused(server.ask("0.9 x", **fields), 400, code)
    assert error["type"] == "invalid_request_error"


def test_a_model_that_is_not_ours(server: ServerRun) -> None:
    error = _refused(server.ask("x", model="gpt-4o"), 404, "model_not_found")
    assert "'gpt-4o'" in error["message"]


def test_what_is_not_served(server: ServerRun) -> None:
    _refused(requests.get(server.url + "/nothing", timeout=20), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", CHAT, "POST"), ("DELETE", "/v1/hybridroute/dial", "GET, HEAD, PUT")],
)
def test_a_method_that_is_not_served_is_told_which_are(
    server: ServerRun, method: str, path: str, allowed: str
) -> None:
    answered = requests.request(method, server.url + path, timeout=20)
    error = _refused(answered, 405, "method_not_allowed")
    assert answered.headers["allow"] == allowed
    assert error["message"].startswith(f"{method} '{path}' is not served; ask with {allowed}")


@pytest.mark.parametrize(
    "body", [{}, {"dial": 2}, {"dial": None}, {"dail": 0.5}, {"dial": 0.1, "threshold": 0.2}, []]
)
def test_a_setting_that_is_none(server: ServerRun, body: Any) -> None:
    before = server.get("/v1/hybridroute/dial").json()
    assert server.put("/v1/hybridroute/dial", body).status_code == 400
    assert server.get("/v1/hybridroute/dial").json() == before


def test_of_two_writers_the_later_one_is_told(server: ServerRun) -> None:
    tag = {"If-Match": server.get("/v1/hybridroute/dial").headers["etag"]}
    assert server.put("/v1/hybridroute/dial", {"dial": 0.11}, headers=tag).status_code == 200
    _refused(
        server.put("/v1/hybridroute/dial", {"dial": 0.12}, headers=tag), 412, "setting_changed"
    )
    assert server.get("/v1/hybridroute/dial").json()["dial"] == 0.11


def test_many_writers_leave_one_whole_setting(server: ServerRun) -> None:
    dials = [step / 20 for step in range(20)]
    writers = [
        threading.Thread(target=server.put, args=("/v1/hybridroute/dial", {"dial": dial}))
        for dial in dials
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    held = server.get("/v1/hybridroute/dial").json()
    assert held["dial"] in dials
    assert held["threshold"] == pytest.approx(held["dial"] * 0.9)


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ArmTimeout("too slow", arm="cloud"), 504, "arm_timeout"),
        (ArmRefused("bad key", arm="cloud", status=401), 502, "arm_refused"),
        (ArmRefused("bad image", arm="cloud", status=400), 400, "arm_refused"),
        (ArmRefused("a schema it cannot use", param="response_format"), 400, "arm_refused"),
        (ContextOverflow("too long", arm="cloud"), 400, "context_length_exceeded"),
        (ZeroDivisionError("secret"), 500, "internal_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_an_arm_that_fails(failure: Exception, status: int, code: str, stream: bool) -> None:
    broken = serving(edge=edge_arm(fails=failure), cloud=cloud_arm(fails=failure))
    with ServerRun(broken) as server:
        error = _refused(server.ask("0.05 hard", stream=stream), status, code)
        assert "secret" not in error["message"]


@pytest.mark.parametrize("wanted", [{"type": "zzz"}, {"type": "json_schema"}])
def test_a_wrong_response_format_is_told_before_any_arm_is_asked(wanted: dict[str, Any]) -> None:
    edge, cloud = edge_arm(), cloud_arm()
    with ServerRun(serving(edge=edge, cloud=cloud)) as server:
        error = _refused(server.ask("0.95 easy", response_format=wanted), 400)
    assert (error["type"], error["param"]) == ("invalid_request_error", "response_format")
    assert edge.requests == cloud.requests == []


def test_a_schema_that_the_only_arm_cannot_use_is_the_callers_to_change() -> None:
    refused = ArmRefused("a schema it cannot use", arm="edge", param="response_format")
    broken = edge_arm(fails=refused)
    with ServerRun(serving(edge=broken, cloud=None)) as server:
        error = _refused(server.ask("0.95 easy"), 400, "arm_refused")
    assert (error["type"], error["param"]) == ("invalid_request_error", "response_format")


def test_a_callers_mistake_is_no_error_of_the_server(
    server: ServerRun, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        for body in ({"dial": 2}, {"dial": "high"}, {"promise": {"max_drop": 0.01}}, {"dail": 1}):
            assert server.put("/v1/hybridroute/dial", body).status_code == 400
        ask = {"messages": EASY, "dial": 7}
        assert server.post(ask, "/v1/hybridroute/route").status_code == 400
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.parametrize("stream", [False, True])
def test_a_caller_who_goes_away_ends_the_generation(stream: bool) -> None:
    arm = SlowArm()
    with ServerRun(serving(edge=arm)) as server:
        line = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=20)
        body = json.dumps({"messages": EASY, "stream": stream})
        line.request("POST", CHAT, body, {"Content-Type": "application/json"})
        assert arm.begun.wait(10)
        if stream:
            assert line.getresponse().read(50)
            assert not arm.ended.is_set()
        line.sock.shutdown(socket.SHUT_RDWR)
        line.close()
        assert arm.ended.wait(10)
        assert _in_flight(server) == 0


def _in_flight(server: ServerRun) -> float:
    """Chat requests under way, once they have had time to end."""
    for _ in range(100):
        text = server.get("/metrics").text
        (line,) = [one for one in text.splitlines() if one.startswith("hybridroute_in_flight ")]
        if line.endswith(" 0.0"):
            return 0.0
        time.sleep(0.02)
    return float(line.split()[1])


def test_more_requests_than_it_takes() -> None:
    body = {"messages": EASY, "stream": True}
    with (
        ServerRun(serving(edge=SlowArm()), max_requests=1) as server,
        requests.post(server.url + CHAT, json=body, stream=True, timeout=20) as first,
    ):
        assert first.status_code == 200
        answered = server.ask("0.95 easy")
        _refused(answered, 429, "too_many_requests")
        assert answered.headers["retry-after"] == "1"


def test_a_foreign_web_page_is_refused(server: ServerRun) -> None:
    body = {"messages": EASY}
    for origin in ("https://evil.example", "null", server.url + "0"):
        _refused(server.post(body, headers={"Origin": origin}), 403, "origin_not_allowed")
    assert server.post(body, headers={"Origin": server.url}).status_code == 200


def test_a_name_made_to_point_here_is_refused(server: ServerRun) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:80", "[", ""):
        _refused(server.get("/v1/models", headers={"Host": host}), 403, "host_not_allowed")
    assert server.get("/v1/models", headers={"Host": "localhost:1"}).status_code == 200


def test_no_origin_is_let_in_by_default(server: ServerRun) -> None:
    answered = server.get("/v1/models")
    assert not [name for name in answered.headers if name.startswith("access-control")]


def test_an_origin_that_was_let_in() -> None:
    friend = {"Origin": "https://friend.example"}
    with ServerRun(cors_origins=("https://friend.example",), key=KEY) as server:
        asked = {**friend, "Access-Control-Request-Method": "POST"}
        before = requests.options(server.url + CHAT, headers=asked, timeout=20)
        assert before.headers["access-control-allow-origin"] == "https://friend.example"
        # What OpenAI's client for browsers sends, and our own.
        wanted = "authorization,content-type,if-match,x-stainless-os,x-stainless-retry-count"
        wanted += ",x-hybridroute-dial,x-hybridroute-mode,x-hybridroute-session"
        asked["Access-Control-Request-Headers"] = wanted
        before = requests.options(server.url + CHAT, headers=asked, timeout=20)
        assert before.status_code == 200
        assert before.headers["access-control-allow-headers"] == wanted
        stranger = {**asked, "Origin": "https://other.example"}
        assert requests.options(server.url + CHAT, headers=stranger, timeout=20).status_code == 400
        answered = server.post(
            {"messages": EASY}, headers={**friend, "Authorization": f"Bearer {KEY}"}
        )
        assert answered.status_code == 200
        assert "x-hybridroute-arm" in answered.headers["access-control-expose-headers"]
        other = {"Origin": "https://other.example", "Authorization": f"Bearer {KEY}"}
        _refused(server.post({"messages": EASY}, headers=other), 403, "origin_not_allowed")


def test_the_key() -> None:
    with ServerRun(key=KEY) as server:
        for given in ("", KEY, f"Basic {KEY}", f"Bearer {KEY}x", "Bearer é", f"Bearer {KEY[:-1]}"):
            held = {"Authorization": given.encode()} if given else {}
            for path in ("/v1/models", "/metrics", "/v1/hybridroute/stats"):
                answered = server.get(path, headers=held)
                _refused(answered, 401, "invalid_api_key")
                assert KEY not in answered.text
            _refused(server.post({"messages": EASY}, headers=held), 401, "invalid_api_key")
        right = {"Authorization": f"Bearer {KEY}"}
        assert server.post({"messages": EASY}, headers=right).status_code == 200
        for path in ("/", "/health", "/ready", "/openapi.json", "/page/app.js"):
            assert server.get(path).status_code == 200
        assert "missing" not in server.get("/ready").json()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_other_machines_need_a_key(host: str) -> None:
    with pytest.raises(ConfigError, match="there is no key"):
        ServerOptions(host=host)
    assert ServerOptions(host=host, key=KEY).key == KEY


@pytest.mark.parametrize("key", ["short", "k" * 15, "with space in the key", "schlüssel-schlüssel"])
def test_a_key_that_is_none(key: str) -> None:
    with pytest.raises(ConfigError, match="not usable") as caught:
        ServerOptions(key=key)
    assert key not in str(caught.value)
    assert "key" not in repr(ServerOptions(key=KEY))


def test_every_answer_has_a_strict_policy(server: ServerRun) -> None:
    for path in ("/", "/page/app.js", "/v1/models", "/nothing"):
        headers = server.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"


def test_a_prompt_a_key_and_an_answer_stay_out_of_logs_counts_spans_and_the_decisions_file(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The arms' answers hold what was planted, too."""
    planted = "planted-secret"
    caught = SpanCatcher(monkeypatch)
    speaks = {"edge": edge_arm(script=answer(planted)), "cloud": cloud_arm()}
    broken = edge_arm(fails=ZeroDivisionError(planted))
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"messages": [{"role": "user", "content": f"0.95 {planted}"}]}
    with caplog.at_level("DEBUG"):
        for first in (serving(**speaks), serving(edge=broken, cloud=cloud_arm(fails=broken.fails))):
            first.client.log_to(tmp_path / "decisions.db")
            with ServerRun(first, key=KEY) as server:
                for more in (
                    {},
                    {"stream": True},
                    {"n": planted},
                    {planted: 1},
                    {"model": planted},
                ):
                    server.post({**body, **more}, headers=headers)
                told = server.get("/metrics", headers=headers).text
                told += server.get("/v1/hybridroute/stats", headers=headers).text
                assert planted not in told
    said = " ".join(str(vars(record)) for record in caplog.records if "urllib3" not in record.name)
    assert "score_at_or_above_threshold" in said
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir()).decode("latin-1")
    assert "score_at_or_above_threshold" in kept
    assert "hybridroute.route" in caught.text()
    for place in (said, kept, caught.text()):
        assert planted not in place
        assert KEY not in place
