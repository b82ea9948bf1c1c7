"""A bundle of three arms answers through `ask`: two models in the process, one over HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_run import run
from tiny_pool import write_tiny_pool

from hybridroute.demo.launch import StandInCloud
from hybridroute.edge_runtime.engines import installed_engines
from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.edge_runtime.model_registry import resolve

pytestmark = pytest.mark.real

MODELS = {"tiny": "smollm2-135m", "small": "gemma3-270m", "big": "stand-in"}
WORDS = {"colour": (9.0, 5.0, 5.0), "capital": (0.0, 9.0, 5.0), "sum": (0.0, 0.0, 9.0)}


@pytest.fixture(scope="module")
def cloud():
    if not installed_engines():
        pytest.skip("no llama.cpp engine is installed")
    try:
        for name in ("smollm2-135m", "gemma3-270m"):
            resolve(name)
    except ModelMissing as exc:
        pytest.skip(str(exc))
    with StandInCloud() as held:
        yield held


def test_each_arm_answers_what_is_its_own(cloud, tmp_path: Path) -> None:
    bundle = write_tiny_pool(tmp_path / "pool", MODELS, WORDS)
    settings = cloud.settings
    arms = [
        "tiny=smollm2-135m",
        "small=gemma3-270m,template=few-shot",
        f"big=stand-in@{settings.base_url},key-env=STAND_IN_KEY",
    ]
    flags = [part for arm in arms for part in ("--arm", arm)]
    sampling = ("--max-tokens", "8", "--temperature", "0", "--dial", "1")
    for query, arm in (
        ("Name a colour.", "tiny"),
        ("What is the capital of France?", "small"),
        ("What is the sum of 2 and 2?", "big"),
    ):
        ran = run(
            *("ask", "--json", "--bundle", str(bundle.path), *flags, *sampling, query),
            cwd=tmp_path,
            STAND_IN_KEY=settings.api_key or "",
        )
        assert ran.returncode == 0, ran.stderr
        body = json.loads(ran.stdout)
        assert (body["arm"], body["reason"]) == (arm, "highest_utility")
        assert body["content"].strip()
        assert list(body["estimates"]) == list(MODELS)
