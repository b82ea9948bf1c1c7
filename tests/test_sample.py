"""The sampling stage with fake arms: what is written, resumed, stopped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud_server import CloudServer, answer, whole
from sample_fakes import ENDPOINT, SeedArm, Watched, plan

from hybridroute.arm_spec import ArmSpec
from hybridroute.edge_runtime.chat import ChatRequest
from hybridroute.edge_runtime.errors import ArmUnavailable, ConfigError, ContextOverflow
from hybridroute.training.local_runner import LocalRunner, arm_of
from hybridroute.training.responses_file import group_by_prompt, read_responses
from hybridroute.training.sample import sample
from hybridroute.training.sample_summary import Sampled
from hybridroute.training.sampling_plan import SamplingPlan

PRICES = "price-in=1000,price-out=2000"


def ran(
    made: SamplingPlan, out: Path, arm: SeedArm | None = None, **more: object
) -> tuple[Sampled, Watched]:
    watched = more.pop("watched", None) or Watched()
    held = arm or SeedArm()
    runner = LocalRunner(make_arm=lambda spec: held)
    return sample(made, out, runner=runner, watcher=watched, **more), watched


def test_every_arm_answers_every_prompt_n_times(tmp_path: Path) -> None:
    made = plan("edge=small", "cloud=other", prompts=3, n=2)
    done, watched = ran(made, tmp_path / "r.jsonl")
    assert done.complete
    assert watched.begun == [("edge", 6, 0), ("cloud", 6, 0)]
    groups = list(group_by_prompt(tmp_path / "r.jsonl"))
    assert sorted(group.id for group in groups) == ["p0", "p1", "p2"]
    for group in groups:
        assert {arm: len(held) for arm, held in group.arms.items()} == {"edge": 2, "cloud": 2}
        assert group.extra == made.prompts[group.id].extra
    summary = done.to_dict()["arms"]["edge"]
    assert (summary["drawn"], summary["left"], summary["completion_tokens"]) == (6, 0, 30)


def test_a_run_that_was_interrupted_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    made = plan("edge=small", prompts=5, n=3)
    ran(made, tmp_path / "whole.jsonl")
    out = tmp_path / "r.jsonl"
    with pytest.raises(KeyboardInterrupt):
        ran(made, out, watched=Watched(after=4))
    with out.open("ab") as file:
        file.write(b'{"id": "p4", "prompt": "quest')
    arm = SeedArm()
    done, watched = ran(made, out, arm)
    assert watched.begun == [("edge", 11, 4)]
    assert len(arm.requests) == 11
    assert done.complete

    def rows(path: Path) -> list[tuple[object, ...]]:
        return sorted((*held.key, held.seed, held.response) for held in read_responses(path))

    assert rows(out) == rows(tmp_path / "whole.jsonl")
    again, _ = ran(made, out, arm)
    assert (again.complete, len(arm.requests)) == (True, 11)


def test_more_samples_and_arms_may_be_added_later(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    ran(plan("edge=small", prompts=2, n=1), out)
    arm = SeedArm()
    ran(plan("edge=small", "cloud=other", prompts=3, n=2), out, arm)
    assert len(arm.requests) == 12 - 2
    assert len(list(group_by_prompt(out))) == 3


def test_a_failure_keeps_what_had_come(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    calls: list[ChatRequest] = []

    def fails_at_fifth(request: ChatRequest) -> None:
        calls.append(request)
        if len(calls) == 5:
            raise ArmUnavailable("the engine is gone")

    made = plan("edge=small,slots=1", prompts=4, n=2)
    arm = SeedArm(on_call=fails_at_fifth)
    with pytest.raises(ArmUnavailable, match="gone"):
        ran(made, out, arm)
    assert arm.closed
    assert len(list(read_responses(out))) >= 4


def test_errors_are_kept_and_asked_again_on_demand(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"

    def too_long(request: ChatRequest) -> None:
        if "question 1" in str(request.messages):
            raise ContextOverflow("the prompt has 9 tokens")

    made = plan("edge=small", prompts=3, n=2)
    done, _ = ran(made, out, SeedArm(on_call=too_long))
    assert (done.complete, done.tallies[0].errors) == (True, 2)
    assert (done.tallies[0].last_error, done.tallies[0].is_barren) == (
        "the prompt has 9 tokens",
        False,
    )
    arm = SeedArm()
    again, _ = ran(made, out, arm)
    assert (again.complete, again.tallies[0].errors, again.tallies[0].failed) == (True, 0, 2)
    assert arm.requests == []
    mended, _ = ran(made, out, arm, retry_errors=True)
    assert (mended.complete, mended.tallies[0].failed) == (True, 0)
    assert mended.tallies[0].last_error is None
    assert len(arm.requests) == 2
    assert all(held.error is None for g in group_by_prompt(out) for held in g.arms["edge"])


def test_a_budget_stops_before_it_is_crossed_and_goes_on_when_raised(tmp_path: Path) -> None:
    out = tmp_path / "r.jsonl"
    made = plan(f"{ENDPOINT},{PRICES}", prompts=10, n=1, max_tokens=5)
    arm = SeedArm(name="cloud", place="cloud")
    done, _ = ran(made, out, arm, budget_usd=0.15)
    # A call costs 0.02 and may cost 0.052: the fifth would start at 0.10 and might end at 0.152.
    assert done.over_budget == ("cloud",)
    assert done.spent_usd == pytest.approx(0.1)
    assert (len(arm.requests), done.tallies[0].left) == (5, 5)
    assert ran(made, out, arm, budget_usd=0.15)[0].over_budget == ("cloud",)
    assert len(arm.requests) == 5
    assert ran(made, out, arm, budget_usd=1.0)[0].complete


def test_a_budget_over_a_price_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="arm cloud: a budget needs its prices"):
        ran(plan(ENDPOINT), tmp_path / "r.jsonl", budget_usd=1.0)


@pytest.fixture
def server() -> Iterator[CloudServer]:
    with CloudServer(answer({"error": {"message": "busy"}}, 429), answer(whole("hi"))) as held:
        yield held


def test_a_real_endpoint_is_asked_with_seeds_and_again_when_busy(
    tmp_path: Path, server: CloudServer
) -> None:
    made = plan(f"cloud=big@{server.url},key-env=,{PRICES}", prompts=2, n=2, max_tokens=5)
    done = sample(made, tmp_path / "r.jsonl", runner=LocalRunner(waits_s=(0.0,)), watcher=Watched())
    assert done.complete
    assert done.tallies[0].cost_usd == pytest.approx(4 * (3 * 1000 + 2 * 2000) / 1e6)
    bodies = [seen.body for seen in server.seen]
    assert len(bodies) == 5
    wanted = {made.draw.seed_of(f"p{i}", "cloud", s) for i in range(2) for s in range(2)}
    assert {body["seed"] for body in bodies} == wanted
    assert {(body["max_tokens"], body["temperature"]) for body in bodies} == {(5, 0.8)}


def test_arms_are_made_of_their_specs() -> None:
    local = arm_of(ArmSpec(name="edge", model="smollm2-135m", context=512, template="few-shot"))
    assert (local.name, local.model, local.place) == ("edge", "smollm2-135m", "device")
    assert local.capabilities.context_tokens == 512
    cloud = arm_of(ArmSpec(name="c", model="m", url="http://127.0.0.1:9/v1", key_env=""))
    assert (cloud.name, cloud.model, cloud.place) == ("c", "m", "cloud")
