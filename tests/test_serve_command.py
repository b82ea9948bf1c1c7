"""``hybridroute serve`` and ``hybridroute dial`` as processes: start, signals, reload, the end."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cloud_server as play
import pytest
import requests
from cli_run import run
from serve_process import Served, reloaded, served_in
from tiny_bundle import write_tiny_bundle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of a POSIX system")

KEY = "a-server-key-of-some-length"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("serve") / "tiny").path


def _config(folder: Path, bundle: Path, cloud: str = "", dial: float = 0.5) -> Path:
    text = f'[router]\nbundle = "{bundle}"\nmode = "only_in_cloud"\ndial = {dial}\n'
    text += f'[cloud]\nbase_url = "{cloud}"\nmodel = "big-1"\napi_key_env = ""\n'
    file = folder / "hybridroute.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_an_idle_connection_outlives_what_clients_keep(tmp_path: Path, bundle: Path) -> None:
    """httpx keeps an idle connection for 5 s: the server must not close it sooner than that."""
    with served_in(tmp_path, "--bundle", str(bundle)) as served:
        held = http.client.HTTPConnection("127.0.0.1", int(served.port), timeout=10)
        for wait in (5.5, 0.0):
            held.request("GET", "/health")
            answer = held.getresponse()
            answer.read()
            assert answer.status == 200
            time.sleep(wait)
        held.close()


def test_it_serves_is_turned_reloads_and_ends(tmp_path: Path, bundle: Path) -> None:
    with play.CloudServer(play.answer(play.whole("from afar"))) as cloud:
        file = _config(tmp_path, bundle, cloud.url)
        with served_in(tmp_path) as served:
            body = {"messages": [{"role": "user", "content": "hello"}]}
            answered = requests.post(served.url + "/v1/chat/completions", json=body, timeout=60)
            assert answered.json()["choices"][0]["message"]["content"] == "from afar"
            assert answered.json()["model"] == "big-1"

            turned = run("dial", "0.8", "--json", "--port", served.port, cwd=tmp_path)
            assert turned.returncode == 0, turned.stderr
            assert json.loads(turned.stdout)["dial"] == 0.8 == served.dial()
            read = run("dial", "--port", served.port, cwd=tmp_path)
            assert read.stdout.startswith("dial 0.8, threshold 0.8")
            refused = run("dial", "--max-drop", "0.1", "--port", served.port, cwd=tmp_path)
            assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)

            file.write_text("[router]\ndial = 7\n", encoding="utf-8")
            assert "dial is 7" in reloaded(served, ok=False)["message"]
            assert served.dial() == 0.8
            _config(tmp_path, bundle, cloud.url, dial=0.3)
            assert reloaded(served, ok=True)["message"] == "in force: dial 0.3"
            assert served.dial() == 0.3
            code, said = served.ends(signal.SIGTERM)
    assert code == 0
    assert "kept the old settings" in said
    assert "Traceback" not in said


def test_a_file_that_config_check_refuses_changes_nothing(tmp_path: Path, bundle: Path) -> None:
    with play.CloudServer(play.answer(play.whole("from afar"))) as cloud:
        file = _config(tmp_path, bundle, cloud.url)
        text = file.read_text(encoding="utf-8")
        with served_in(tmp_path) as served:
            for wrong, said in (
                ("[server]\nmax_requests = 0\n", "max_requests is 0"),
                ('[server]\nkey_env = "UNSET_KEY"\n', "UNSET_KEY is not set"),
                ("[edge]\nengine = 'none'\n", "engine is 'none'"),
            ):
                file.write_text(f"[router]\ndial = 0.1\n{wrong}", encoding="utf-8")
                assert run("config", "check", cwd=tmp_path).returncode == 1
                assert said in reloaded(served, ok=False)["message"]
                assert _asked(served).json()["model"] == "big-1"
            file.unlink()
            gone = reloaded(served, ok=False)["message"]
            assert "hybridroute.toml is gone" in gone
            assert _asked(served).json()["model"] == "big-1"
            assert served.dial() == 0.5
            file.write_text(text.replace("dial = 0.5", "dial = 0.2"), encoding="utf-8")
            assert reloaded(served, ok=True)["message"] == "in force: dial 0.2"


def _asked(served: Served) -> requests.Response:
    body = {"messages": [{"role": "user", "content": "hello"}]}
    return requests.post(served.url + "/v1/chat/completions", json=body, timeout=60)


def test_a_reload_moves_the_log_and_names_what_needs_a_restart(
    tmp_path: Path, bundle: Path
) -> None:
    with play.CloudServer(play.answer(play.whole("from afar"))) as cloud:
        file = _config(tmp_path, bundle, cloud.url)
        plain = file.read_text(encoding="utf-8")
        with served_in(tmp_path, "--cors-origin", "https://friend.example") as served:
            more = '[server]\nlog = "later.db"\nmax_requests = 7\ndrain_s = 1\n'
            file.write_text(plain + more, encoding="utf-8")
            reload = reloaded(served, ok=True)
            assert reload["needs_restart"] == ["max_requests", "drain_s"]
            assert reload["message"] == (
                "in force: dial 0.5; not in force before a restart: server.max_requests, "
                "server.drain_s"
            )
            assert _asked(served).status_code == 200
            served.ends(signal.SIGTERM)
    replayed = run("replay", "--log", "later.db", "--dial", "0.2", "--json", cwd=tmp_path)
    assert replayed.returncode == 0, replayed.stderr


def test_it_is_not_ready_when_nothing_can_answer(tmp_path: Path, bundle: Path) -> None:
    """A cloud without its key answers nothing, and neither does a model that is not there."""
    nothing = ("--bundle", str(bundle), "--edge", str(tmp_path / "none.gguf"))
    for more in ((*nothing, "--cloud-model", "gpt-4o"), ("--mode", "only_in_cloud")):
        with served_in(tmp_path, *more, HYBRIDROUTE_CLOUD_MODEL="gpt-4o") as served:
            ready = _settled(served, missing=2 if "--edge" in more else 1)
            assert (ready.status_code, ready.json()["status"]) == (503, "not ready")
            assert "OPENAI_API_KEY is not set" in " ".join(ready.json()["missing"])
            assert _asked(served).status_code >= 500
    with served_in(tmp_path, *nothing, "--cloud-model", "gpt-4o", OPENAI_API_KEY="k") as served:
        assert _settled(served, missing=1).status_code == 200


def _settled(served: Served, *, missing: int) -> requests.Response:
    """What /ready says once the models were tried, which is when so much is known to be missing."""
    for _ in range(200):
        ready = requests.get(served.url + "/ready", timeout=20)
        if len(ready.json()["missing"]) == missing:
            break
        time.sleep(0.05)
    time.sleep(0.3)
    return requests.get(served.url + "/ready", timeout=20)


CLOUD_KEY = "planted-cloud-key"


@pytest.mark.parametrize("form", [(), ("--log-json",)])
def test_a_cloud_key_that_is_refused_stays_out_of_everything(
    tmp_path: Path, bundle: Path, form: tuple[str, ...]
) -> None:
    """The cloud quotes the key it refuses, as OpenAI's does."""
    quoted = {"error": {"message": f"Incorrect API key provided: {CLOUD_KEY}", "code": "invalid"}}
    with play.CloudServer(play.answer(quoted, 401)) as cloud:
        file = _config(tmp_path, bundle, cloud.url)
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace('env = ""', 'env = "MY_CLOUD_KEY"'), encoding="utf-8")
        logged = ("--log", "decisions.db", *form)
        with served_in(tmp_path, *logged, MY_CLOUD_KEY=CLOUD_KEY) as served:
            body = {"messages": [{"role": "user", "content": "planted prompt"}]}
            answers = [
                requests.post(served.url + "/v1/chat/completions", json=one, timeout=60)
                for one in (body, {**body, "stream": True})
            ]
            told = "".join(
                requests.get(served.url + path, timeout=20).text
                for path in ("/metrics", "/v1/hybridroute/stats", "/v1/hybridroute/info", "/ready")
            )
            _, said = served.ends(signal.SIGTERM)
        assert [answer.status_code for answer in answers] == [502, 502]
        assert cloud.seen[0].headers["authorization"] == f"Bearer {CLOUD_KEY}"
    assert 'outcome="failed"' in told
    assert "MY_CLOUD_KEY" in said  # it does say which variable to look at
    kept = b"".join(one.read_bytes() for one in tmp_path.glob("decisions.db*")).decode("latin-1")
    assert "ArmRefused" in kept
    for place in (told, said, kept, json.dumps(served.start), *(one.text for one in answers)):
        assert "planted" not in place


def test_sigterm_lets_a_stream_end(tmp_path: Path, bundle: Path) -> None:
    """The stream goes on after the signal, whole to its [DONE]; nobody new is let in."""
    signalled = threading.Event()

    def halting(visit: play.Visit) -> bool:
        visit.send(play.STREAM_HEAD)
        visit.send(play.chunked(play.events(play.piece("before "), done=False)))
        signalled.wait(30)
        time.sleep(0.5)
        rest = play.events(play.piece("after"), play.piece(finish="stop"))
        visit.send(play.chunked(rest) + b"0\r\n\r\n")
        return True

    with play.CloudServer(halting) as cloud:
        _config(tmp_path, bundle, cloud.url)
        with served_in(tmp_path) as served:
            body = {"messages": [{"role": "user", "content": "hello"}], "stream": True}
            url = served.url + "/v1/chat/completions"
            with requests.post(url, json=body, stream=True, timeout=60) as answered:
                pieces = answered.iter_content(None)
                first = next(pieces)
                served.process.send_signal(signal.SIGTERM)
                signalled.set()
                text = (first + b"".join(pieces)).decode()
            assert served.process.wait(60) == 0
    assert "before " in text
    assert "after" in text
    assert text.endswith("data: [DONE]\n\n")


def test_ctrl_c_ends_with_130(tmp_path: Path, bundle: Path) -> None:
    with served_in(tmp_path, "--bundle", str(bundle), "--mode", "only_on_device") as served:
        code, said = served.ends(signal.SIGINT)
    assert code == 130
    assert "Traceback" not in said


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("drain_s", "interrupts", "told"),
    [("1", 1, "1 answer was cut off after 1 s"), ("60", 2, "1 answer was cut off at a second")],
)
def test_an_answer_that_is_cut_is_one_line(
    tmp_path: Path, bundle: Path, *, drain_s: str, interrupts: int, told: str, streamed: bool
) -> None:
    cloud = play.endless if streamed else play.hang
    with play.CloudServer(cloud) as server:
        _config(tmp_path, bundle, server.url)
        with served_in(tmp_path, "--drain-s", drain_s) as served:
            asked = threading.Thread(target=_asked_for_nothing, args=(served, streamed))
            asked.start()
            _until(lambda: bool(server.seen))
            for _ in range(interrupts - 1):
                served.process.send_signal(signal.SIGINT)
                # A signal that comes before the first was heard would be the same one.
                _until(lambda: _refuses(served))
            code, said = served.ends(signal.SIGINT)
            asked.join(60)
    assert code == 130
    assert "Traceback" not in said
    assert "CancelledError" not in said
    (line,) = [line for line in said.splitlines() if "cut off" in line]
    assert told in line


def _asked_for_nothing(served: Served, streamed: bool) -> None:
    body = {"messages": [{"role": "user", "content": "hello"}], "stream": streamed}
    with contextlib.suppress(requests.RequestException):
        requests.post(served.url + "/v1/chat/completions", json=body, timeout=60)


def _refuses(served: Served) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", int(served.port)), timeout=5).close()
        return False
    return True


def _until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def test_without_a_key_it_starts_and_says_what_is_missing(tmp_path: Path, bundle: Path) -> None:
    arguments = ("--bundle", str(bundle))
    with served_in(tmp_path, *arguments) as served:
        assert "No cloud is configured" in served.start["missing"][0]
        _, said = served.ends(signal.SIGTERM)
        assert "HYBRIDROUTE_CLOUD_MODEL" in said
    with served_in(tmp_path, *arguments, "--cloud-model", "gpt-4o") as served:
        assert "OPENAI_API_KEY is not set" in served.start["missing"][0]


def test_the_port_is_in_use(tmp_path: Path, bundle: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
        done = run("serve", "--port", port, "--bundle", str(bundle), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"port {port}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_another_address_needs_a_key(tmp_path: Path, bundle: Path) -> None:
    open_to_all = ("--host", "0.0.0.0", "--bundle", str(bundle))
    for more in ((), ("--key-env", "UNSET_KEY")):
        done = run("serve", *open_to_all, *more, cwd=tmp_path)
        assert done.returncode == 1
        assert "key" in done.stderr
    with served_in(tmp_path, *open_to_all, "--key-env", "MY_KEY", MY_KEY=KEY) as served:
        assert requests.get(served.url + "/v1/models", timeout=20).status_code == 401
        with_key = ("--port", served.port, "--key-env", "MY_KEY")
        done = run("dial", "0.4", *with_key, cwd=tmp_path, MY_KEY=KEY)
        assert done.returncode == 0, done.stderr
        _, said = served.ends(signal.SIGTERM)
        assert KEY not in said


def test_no_server_answers(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = str(held.getsockname()[1])
    done = run("dial", "0.4", "--port", port, cwd=tmp_path)
    assert done.returncode == 1
    assert "hybridroute serve" in done.stderr


def test_without_the_extra_it_says_so(tmp_path: Path) -> None:
    done = run("serve", cwd=tmp_path, without=("uvicorn",))
    assert done.returncode == 1
    assert "pip install 'hybridroute[server]'" in done.stderr


def test_a_log_of_json_lines_holds_no_prompt(tmp_path: Path, bundle: Path) -> None:
    with play.CloudServer(play.answer(play.whole("planted answer"))) as cloud:
        _config(tmp_path, bundle, cloud.url)
        with served_in(tmp_path, "--log-json", "--log", "decisions.db") as served:
            body = {"messages": [{"role": "user", "content": "planted prompt"}]}
            requests.post(served.url + "/v1/chat/completions", json=body, timeout=60)
            _, said = served.ends(signal.SIGTERM)
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    (answered,) = [line for line in lines if "arm" in line]
    assert (answered["arm"], answered["outcome"]) == ("cloud", "done")
    assert answered["answer_tokens"] == 2
    assert "planted" not in said
    replayed = run("replay", "--log", "decisions.db", "--dial", "0.2", "--json", cwd=tmp_path)
    assert replayed.returncode == 0, replayed.stderr
    assert b"planted" not in (tmp_path / "decisions.db").read_bytes()


def test_a_controller_is_configured_andreloaded(tmp_path: Path, bundle: Path) -> None:
    with play.CloudServer(play.answer(play.whole("from afar"))) as cloud:
        file = _config(tmp_path, bundle, cloud.url)
        plain = file.read_text(encoding="utf-8")
        with served_in(tmp_path, "--cloud-share", "0.5") as served:
            held = requests.get(served.url + "/v1/hybridroute/dial", timeout=20).json()
            assert held["controller"]["holds"] == {"cloud_share": 0.5}
        file.write_text(plain + "[controller]\np95_ms = 800\nlowest = 0.2\n", encoding="utf-8")
        with served_in(tmp_path) as served:
            held = requests.get(served.url + "/v1/hybridroute/dial", timeout=20).json()
            assert held["controller"]["holds"] == {"p95_ms": 800.0}
            assert held["controller"]["lowest"] == 0.2
            file.write_text(plain, encoding="utf-8")
            reloaded(served, ok=True)
            held = requests.get(served.url + "/v1/hybridroute/dial", timeout=20).json()
            assert held["controller"] is None
    file.write_text(plain + "[controller]\np95_ms = 9\ncloud_share = 0.1\n", encoding="utf-8")
    refused = run("serve", "--port", "0", cwd=tmp_path)
    assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
