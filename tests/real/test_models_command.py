"""`models pull` of what is installed already: it is checked, not fetched again."""

import json

import pytest
from cli_run import run

from hybridroute.edge_runtime.model_registry import REGISTRY, show

pytestmark = pytest.mark.real


def test_pull_of_an_installed_model_verifies_it(tmp_path):
    if not show("smollm2-135m").installed:
        pytest.skip("smollm2-135m is not on this device")
    done = run("models", "pull", "smollm2-135m", "--json", cwd=tmp_path)
    body = json.loads(done.stdout)
    assert (done.returncode, body["verified"]) == (0, True)
    assert body["sha256"] == REGISTRY["smollm2-135m"].sha256
    assert "is installed; checking it" in done.stderr
