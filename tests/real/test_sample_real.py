"""Sampling with a real model: seeds that repeat, a prompt that is too long, a Ray cluster."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli_run import command, environment, run
from sample_fakes import Watched, plan

from hybridroute.edge_runtime import engine_xllamacpp
from hybridroute.edge_runtime.errors import ModelMissing
from hybridroute.edge_runtime.model_registry import resolve
from hybridroute.prompt_file import PromptRow
from hybridroute.training.local_runner import LocalRunner
from hybridroute.training.responses_file import group_by_prompt, read_responses
from hybridroute.training.sample import sample
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import SamplingPlan

pytestmark = pytest.mark.real

TEXTS = ("Name a colour.", "What is 2+2?", "Say hello.")


@pytest.fixture(autouse=True)
def model() -> None:
    try:
        resolve("smollm2-135m")
    except ModelMissing as exc:
        pytest.skip(str(exc))


def of(*texts: str, arm: str = "edge=smollm2-135m,slots=1,context=256") -> SamplingPlan:
    rows = {f"p{i}": PromptRow(where=f"line {i}", prompt=text) for i, text in enumerate(texts)}
    return plan(arm, prompts=rows, n=2, max_tokens=6)


def answers(path: Path) -> list[tuple[object, ...]]:
    return sorted((*held.key, held.seed, held.response) for held in read_responses(path))


def test_with_one_slot_a_seed_gives_the_same_answer_again(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    done = sample(of(*TEXTS), whole, runner=LocalRunner(), watcher=Watched())
    assert done.complete
    with pytest.raises(KeyboardInterrupt):
        sample(of(*TEXTS), parts, runner=LocalRunner(), watcher=Watched(after=3))
    sample(of(*TEXTS), parts, runner=LocalRunner(), watcher=Watched())
    assert answers(parts) == answers(whole)
    assert len({held[4] for held in answers(whole)}) > len(TEXTS)


def test_several_slots_answer_all_and_a_prompt_of_100_000_characters_is_an_error_row(
    tmp_path: Path,
) -> None:
    made = of(*TEXTS, "word " * 20_000, arm="edge=smollm2-135m,slots=3,context=256")
    done = sample(made, tmp_path / "r.jsonl", runner=LocalRunner(), watcher=Watched())
    assert (done.complete, done.tallies[0].errors) == (True, 2)
    for group in group_by_prompt(tmp_path / "r.jsonl"):
        held = group.arms["edge"]
        if group.id == "p3":
            assert all("context holds 256" in (one.error or "") for one in held)
        else:
            assert all(one.response and (one.completion_tokens or 9) <= 6 for one in held)


def test_further_samples_reuse_the_prompts_state_in_every_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("xllamacpp")
    reused: list[tuple[int, int]] = []
    take = engine_xllamacpp._Answer.take

    def watched(self: object, chunk: dict[str, Any]) -> bool:
        if chunk.get("usage"):
            timings = chunk["timings"]
            reused.append((timings["cache_n"], timings["prompt_n"]))
        return bool(take(self, chunk))

    monkeypatch.setattr(engine_xllamacpp._Answer, "take", watched)
    arm = "edge=smollm2-135m,slots=3,context=256,engine=xllamacpp"
    sample(of(*TEXTS, arm=arm), tmp_path / "r.jsonl", runner=LocalRunner(), watcher=Watched())
    # Of each prompt's second sample only the last token is computed again.
    assert sum(computed == 1 for _, computed in reused) == len(TEXTS)
    assert all(cached > 20 for cached, computed in reused if computed == 1)


def _lines(responses: list[Response]) -> list[tuple[object, ...]]:
    return sorted((*held.key, held.seed, held.response, held.settings) for held in responses)


def test_a_ray_cluster_of_two_workers_gives_the_same_rows(tmp_path: Path) -> None:
    if importlib.util.find_spec("ray") is None:
        pytest.skip("Ray is not installed: pip install 'hybridroute[ray]'")
    (tmp_path / "prompts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    told = ["sample", "prompts.txt", "-n", "2", "--max-tokens", "6", "--json"]
    arm = ["--arm", "edge=smollm2-135m,slots=1,context=256"]
    ray = [*told, *arm, "--engine", "ray", "--workers", "2", "--out", "ray.jsonl"]
    done = subprocess.run(
        command(*ray),
        cwd=tmp_path,
        env=environment(RAY_ADDRESS=""),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["arms"]["edge"]["drawn"] == 6
    local = run(*told, *arm, "--out", "local.jsonl", cwd=tmp_path)
    assert local.returncode == 0, local.stderr
    pair = [list(read_responses(tmp_path / f"{name}.jsonl")) for name in ("ray", "local")]
    assert _lines(pair[0]) == _lines(pair[1])
