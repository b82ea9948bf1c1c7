"""Exploration and feedback: chances that are true, a log that holds them, promises made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_run import run
from sdk_fakes import bundle, cloud_arm, edge_arm, user
from server_run import ServerRun, serving
from tiny_bundle import write_tiny_bundle

from hybridroute import ConfigError, DataError, HybridClient
from hybridroute.async_client import AsyncHybridClient
from hybridroute.decision_log import bundle_name
from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.manifest import CalibratedArm
from hybridroute.exploration import Exploration
from hybridroute.ratings import read_ratings

ARMS = (CalibratedArm(name="edge", model="small"), CalibratedArm(name="cloud", model="large"))


def client(**given: Any) -> HybridClient:
    return HybridClient(
        bundle(), **{"edge": edge_arm(), "cloud": cloud_arm(), "threshold": 0.5, **given}
    )


def test_the_share_is_drawn_evenly_and_the_propensity_is_the_chance_it_had() -> None:
    held = client(exploration=Exploration(0.4, seed=7))
    found = [held.route(user("0.9 easy")) for _ in range(3000)]
    away = [one for one in found if one.arm == "cloud"]
    assert len(away) / 3000 == pytest.approx(0.2, abs=4 * (0.16 / 3000) ** 0.5)
    assert {(one.reason, one.propensity) for one in away} == {("explored", 0.2)}
    stays = {(one.reason, one.propensity) for one in found if one.arm == "edge"}
    ((reason, chance),) = stays
    assert (reason, chance) == ("score_at_or_above_threshold", pytest.approx(0.8))
    assert "drawn at random" in away[0].explain()
    again = client(exploration=Exploration(0.4, seed=7))
    assert [again.route(user("0.9 easy")).arm for _ in range(50)] == [one.arm for one in found[:50]]


def test_nothing_is_explored_by_default_or_where_something_else_decides() -> None:
    plain = client()
    assert {plain.route(user("0.9 x")).propensity for _ in range(20)} == {1.0}
    held = client(exploration=1.0)
    for _ in range(20):
        decision = held.route(user("0.9 x"), mode="only_in_cloud")
        assert (decision.arm, decision.propensity) == ("cloud", None)
    with pytest.raises(ConfigError, match=r"exploration is 1\.5"):
        client(exploration=1.5)


def test_feedback_goes_beside_the_log_and_is_exported_without_text(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with client(exploration=Exploration(0.5, seed=1)) as held:
        with pytest.raises(ConfigError, match="call log_to"):
            held.feedback("x", good=True)
        held.log_to(path)
        answers = [held.chat.completions.create(messages=user("0.9 secret")) for _ in range(6)]
        for at, answer in enumerate(answers[:4]):
            held.feedback(answer.hybridroute.id, at % 2 == 0)
        with pytest.raises(DataError, match="holds no decision 'nobody'"):
            held.feedback("nobody", good=True)
        with pytest.raises(ConfigError, match="good is 7"):
            held.feedback(answers[0].hybridroute.id, 7)
    found = {one.id: one for one in read_ratings(path)}
    rated = [found[answer.hybridroute.id] for answer in answers]
    assert [one.quality for one in rated] == [1.0, 0.0, 1.0, 0.0, None, None]
    assert [one.propensity for one in rated] == [a.hybridroute.propensity for a in answers]
    done = run("feedback", "--log", "log.db", "--out", "said.jsonl", "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == {"out": "said.jsonl", "answers": 6, "rated": 4}
    assert "secret" not in (tmp_path / "said.jsonl").read_text()
    assert read_ratings(tmp_path / "said.jsonl") == read_ratings(path)
    last = answers[5].hybridroute.id
    noted = run("feedback", "--log", "log.db", "--id", last, "--bad", "--json", cwd=tmp_path)
    assert json.loads(noted.stdout)["quality"] == 0.0


async def _rated(held: AsyncHybridClient) -> str:
    answer = await held.chat.completions.create(messages=user("0.9 x"))
    await held.feedback(answer.hybridroute.id, good=False)
    return answer.hybridroute.id


def test_the_asynchronous_client_takes_feedback(tmp_path: Path) -> None:
    import asyncio

    async def talk() -> str:
        async with AsyncHybridClient.over(client()) as held:
            held.log_to(tmp_path / "log.db")
            return await _rated(held)

    found = asyncio.run(talk())
    assert {one.id: one.quality for one in read_ratings(tmp_path / "log.db")} == {found: 0.0}


def test_the_server_takes_feedback(tmp_path: Path) -> None:
    first = serving()
    first.client.log_to(tmp_path / "log.db")
    with ServerRun(first) as server:
        answered = server.ask("0.95 easy").json()["hybridroute"]["id"]
        path = "/v1/hybridroute/feedback"
        assert server.post({"id": answered, "good": True}, path).status_code == 200
        for body in ({"id": answered}, {"id": 3, "good": True}, {"id": "no", "good": True}):
            assert server.post(body, path).status_code == 400, body
        wrong = server.post({"id": answered, "good": "x"}, path)
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "good")
    assert [one.quality for one in read_ratings(tmp_path / "log.db")] == [1.0]


@pytest.mark.parametrize("line", ["{", "[]", '{"id": "x"}'])
def test_a_wrong_export_names_the_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "said.jsonl").write_text(f"\n{line}\n")
    with pytest.raises(DataError, match="line 2"):
        read_ratings(tmp_path / "said.jsonl")


def test_calibrate_add_makes_promises_of_ratings_or_says_what_is_missing(tmp_path: Path) -> None:
    tiny = write_tiny_bundle(tmp_path / "tiny", arms=ARMS)
    draw = np.random.default_rng(0)

    def export(n: int, share: float) -> None:
        lines = []
        for at in range(n):
            score = float(draw.random())
            picked = "edge" if score >= 0.5 else "cloud"
            arm = str(draw.choice(["edge", "cloud"])) if draw.random() < share else picked
            good = draw.random() < (0.95 if arm == "cloud" else 0.5 + 0.45 * score)
            chance = 1 - share / 2 if arm == picked else share / 2
            said = {"id": str(at), "at": at, "bundle": bundle_name(tiny), "arm": arm}
            said |= {"model": "small" if arm == "edge" else "large", "score": score}
            said |= {"reason": "score_below_threshold" if arm == picked else "explored"}
            lines.append(json.dumps({**said, "propensity": chance, "quality": float(good)}))
        (tmp_path / "said.jsonl").write_text("\n".join(lines))

    command = ("calibrate", "--bundle", "tiny", "--add", "said.jsonl", "--out", "new", "--json")
    export(4000, 0.4)
    done = run(*command, "--max-drop", "0.1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    body = json.loads(done.stdout)
    assert (body["feasible"], body["test"], body["n"]) == (True, "weighted betting", 4000)
    made = Bundle.load(tmp_path / "new").manifest
    assert made.promises is not None
    assert "drawn at random" in made.promises.source
    strict = run(*command[:-3], "--out", "other", "--json", "--max-drop", "0.001", cwd=tmp_path)
    assert strict.returncode == 1
    assert json.loads(strict.stdout)["needed_n"] > 4000
    export(4000, 0.0)
    relative = run(*command, "--max-drop", "0.1", "--drop-kind", "relative", cwd=tmp_path)
    assert relative.returncode == 1
    assert "without exploration" in relative.stderr
    worst = json.loads(run(*command, "--max-drop", "0.1", cwd=tmp_path).stdout)
    assert worst["test"] == "worst case"
    assert worst["cost_advantage"] < body["cost_advantage"]
