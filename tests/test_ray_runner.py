"""What of the Ray runner needs no cluster; tests/real has the rest."""

from __future__ import annotations

import sys

import pytest
from sample_fakes import ENDPOINT, plan, row

from hybridroute.arm_spec import parse_arm
from hybridroute.edge_runtime.errors import ArmRefused, ConfigError
from hybridroute.prompt_file import PromptRow
from hybridroute.training.pacing import Budget
from hybridroute.training.ray_runner import RayRunner, _ours, job_from_json, job_to_json
from hybridroute.training.sampled_response import Response
from hybridroute.training.sampling_plan import PromptJob, jobs_of

MESSAGES = ({"role": "system", "content": "be brief"}, {"role": "user", "content": "\ud800 é"})


@pytest.mark.parametrize(
    "held", [row(3), PromptRow(where="f, line 1", prompt=MESSAGES, extra={"a": [1, None]})]
)
def test_a_job_survives_the_way_to_an_actor(held: PromptRow) -> None:
    job = PromptJob(id="p\u2028", row=held, samples=(0, 3))
    text = job_to_json(job)
    assert text.isascii()
    back = job_from_json(text)
    assert (back.id, back.samples) == (job.id, job.samples)
    assert (back.row.prompt, back.row.extra) == (held.prompt, held.extra)
    assert (back.row.domain, back.row.reference) == (held.domain, held.reference)


def untaken(held: Response) -> None:
    raise AssertionError("nothing is drawn")


def test_a_budget_is_refused_before_a_cluster_is_started() -> None:
    made = plan(f"{ENDPOINT},price-in=1,price-out=1")
    jobs = jobs_of(made, made.arms[0], {})
    runner = RayRunner(actors=2)
    with pytest.raises(ConfigError, match="arm cloud: --budget-usd is not kept across"):
        runner.run(made.arms[0], made.draw, jobs, budget=Budget(1.0), take=untaken)
    runner.close()


def test_without_ray_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.setenv(name, "")
    monkeypatch.setitem(sys.modules, "ray", None)
    made = plan()
    with pytest.raises(ConfigError, match=r"pip install 'hybridroute\[train,ray\]'"):
        RayRunner(actors=1).run(
            parse_arm("edge=x"), made.draw, [], budget=Budget(None), take=untaken
        )


def test_an_actors_own_error_is_raised_and_others_are_explained() -> None:
    inner = ArmRefused("no key", arm="cloud", status=401)
    outer = RuntimeError("task failed")
    outer.cause = inner
    assert _ours(outer) is inner
    assert "run the same command again" in str(_ours(RuntimeError("node died")))


def test_no_actors() -> None:
    with pytest.raises(ConfigError, match="workers is 0"):
        RayRunner(actors=0)
