"""training/judging/made_bundle.py and ``hybridroute evaluate`` of a pool's bundle."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cli_run import run
from test_pool_train import COSTS, plan, table
from tiny_encoder import tiny_bert
from tiny_pool import write_tiny_pool

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.judging.made_bundle import DIALS, NAME, judge_pool
from hybridroute.training.metrics import evaluate_scores
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable, joined
from hybridroute.training.pool.new_bundle import FITTED_QUALITY
from hybridroute.training.pool.train import train_pool
from hybridroute.training.rows_seen import CALIBRATION_HASHES


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    place = tmp_path_factory.mktemp("pool")
    encoder = str(tiny_bert(place / "encoder"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HYBRIDROUTE_CACHE", str(place / "cache"))
        return train_pool(plan(encoder, place / "bundle", table(240)))[0]


def unseen(n: int = 120) -> OutcomeTable:
    """Like the rows trained on, of other prompts."""
    held = table(n)
    rows = [replace(row, id=f"new {row.id}", prompt=f"{row.prompt} new") for row in held.rows]
    return OutcomeTable(rows=tuple(rows), source="new")


def test_the_figures_are_those_of_a_comparison(bundle: Bundle) -> None:
    judged = judge_pool(bundle, unseen())
    assert judged.n_seen_in_training == 0
    entry = judged.found.row(NAME)
    assert entry.quality > judged.found.row("chance").quality + 0.1
    assert entry.v_b is not None
    assert entry.savings is not None
    assert entry.savings.aiq_ci95 is not None
    assert entry.aiq_over_zero is not None
    assert entry.ece is not None
    assert entry.route_ms is not None
    assert judged.found.scaling_up is not None
    assert {one.name for one in judged.found.baselines} >= {"oracle", "best single", "Zero"}
    assert [row.dial for row in judged.dials] == list(DIALS)
    first, last = judged.dials[0], judged.dials[-1]
    assert first.usd == pytest.approx(COSTS["poet"])
    assert last.quality > first.quality
    json.dumps(judged.to_dict(), allow_nan=False)


def test_rows_seen_in_training_are_left_out_and_counted(bundle: Bundle) -> None:
    known = table(240)
    fresh = unseen()
    judged = judge_pool(bundle, OutcomeTable(rows=(*known.rows, *fresh.rows), source="both"))
    assert judged.n_seen_in_training == len(bundle.manifest.training_hashes)
    assert judged.found.protocol.judged_rows == 240 + 120 - judged.n_seen_in_training
    assert "left out" in judged.found.protocol.notes[0]


def test_rows_that_set_the_tables_are_judged_and_counted(bundle: Bundle) -> None:
    judged = judge_pool(bundle, OutcomeTable(rows=(*table(240).rows, *unseen(60).rows), source="b"))
    known = len(bundle.manifest.training[CALIBRATION_HASHES])
    assert known > 0
    assert judged.n_seen_in_calibration == judged.to_dict()["n_seen_in_calibration"] == known
    assert judge_pool(bundle, unseen(60)).n_seen_in_calibration == 0


def test_single_arms_are_ranked_on_fitted_rows_or_it_is_said_on_which(bundle: Bundle) -> None:
    facts = bundle.manifest.training
    fitted = judge_pool(bundle, unseen(60))
    assert fitted.arms_ranked_on == "fitted rows"
    arms = {arm.name: arm.train_quality for arm in fitted.found.arms}
    assert arms == pytest.approx(facts[FITTED_QUALITY])
    stored = (FITTED_QUALITY, CALIBRATION_HASHES)
    bare = {key: held for key, held in facts.items() if key not in stored}
    earlier = Bundle(bundle.path, replace(bundle.manifest, training=bare))
    judged = judge_pool(earlier, unseen(60))
    assert (judged.arms_ranked_on, judged.n_seen_in_calibration) == ("calibration rows", None)
    assert judged.found.protocol.notes[-1].endswith("on the bundle's calibration rows")
    pool = bundle.manifest.pool
    assert pool is not None
    arms = {arm.name: arm.train_quality for arm in judged.found.arms}
    assert arms == pytest.approx({arm.name: arm.quality for arm in pool.arms})


def test_without_costs_the_bundles_own_are_taken_and_said(bundle: Bundle) -> None:
    bare = [
        replace(row, arms={name: replace(arm, cost_usd=None) for name, arm in row.arms.items()})
        for row in unseen().rows
    ]
    judged = judge_pool(bundle, OutcomeTable(rows=tuple(bare), source="bare"))
    assert any("the bundle expects" in note for note in judged.found.protocol.notes)
    assert judged.found.row(NAME).cost is not None


def test_an_arm_that_the_outcomes_lack_is_named(bundle: Bundle) -> None:
    rows = [
        replace(row, arms={name: arm for name, arm in row.arms.items() if name != "sage"})
        for row in unseen().rows
    ]
    with pytest.raises(DataError, match="has no arm 'sage'"):
        judge_pool(bundle, OutcomeTable(rows=tuple(rows), source="short"))


POOL = {"tiny": "tiny-1", "mid": "mid-1", "big": "big-1"}
WORDS = {"greet": (4.0, 2.0, 0.0), "prove": (0.0, 2.0, 4.0), "[UNK]": (9.0, 0.0, 0.0)}
"""Of what it cannot read, this router would always ask the cheapest arm."""


def rows_of(texts: list[str], quality: list[dict[str, float]]) -> OutcomeTable:
    rows = [
        Outcome(
            id=text,
            prompt=text,
            arms={name: ArmOutcome(quality=(held,)) for name, held in one.items()},
        )
        for text, one in zip(texts, quality, strict=True)
    ]
    return OutcomeTable(rows=tuple(rows), source="made up")


def readable(n: int, arms: tuple[str, ...] = tuple(POOL)) -> OutcomeTable:
    """The cheapest arm greets, the dearest proves; half of each row's arms are right."""
    texts = [f"{'prove' if at % 2 else 'greet'} {at}" for at in range(n)]
    right = [arms[-1] if at % 2 else arms[0] for at in range(n)]
    return rows_of(texts, [{name: float(name == good) for name in arms} for good in right])


def strange(n: int, **quality: float) -> OutcomeTable:
    return rows_of([f"这是什么东西{at}" for at in range(n)], [quality] * n)


def test_rows_out_of_scope_are_the_best_single_arms_as_they_are_served(tmp_path: Path) -> None:
    made = write_tiny_pool(tmp_path / "b", POOL, WORDS)
    alone = judge_pool(made, readable(40))
    assert alone.to_dict()["n_out_of_scope"] == 0
    assert alone.found.row(NAME).quality == pytest.approx(1.0)
    unread = strange(20, tiny=1.0, mid=0.5, big=0.0)
    judged = judge_pool(made, joined((readable(40), unread)))
    found = judged.to_dict()
    assert (found["n"], found["n_out_of_scope"]) == (60, 20)
    entry = judged.found.row(NAME)
    assert entry.quality == pytest.approx(40 / 60)
    assert entry.served_quality == pytest.approx(entry.quality)
    assert entry.choices == pytest.approx({"tiny": 20 / 60, "mid": 0.0, "big": 40 / 60})
    assert (entry.ece, entry.brier) == (alone.found.row(NAME).ece, alone.found.row(NAME).brier)
    for row in judged.dials:
        assert row.usd >= 20 / 60 * 0.002 - 1e-12
    assert entry.savings is not None
    assert "best single arm's" in str(judged.found.protocol.scope_in_words)
    assert not judged.found.shows_served


def test_where_the_best_single_arm_has_no_outcome_the_next_answers(tmp_path: Path) -> None:
    made = write_tiny_pool(tmp_path / "b", POOL, WORDS)
    judged = judge_pool(made, joined((readable(40), strange(20, tiny=1.0))))
    assert judged.found.row(NAME).choices["tiny"] == pytest.approx(40 / 60)


def test_of_rows_out_of_scope_alone_the_router_is_its_best_single_arm(tmp_path: Path) -> None:
    made = write_tiny_pool(tmp_path / "b", POOL, WORDS)
    judged = judge_pool(made, strange(20, tiny=1.0, mid=0.5, big=0.25))
    entry = judged.found.row(NAME)
    assert entry.quality == pytest.approx(0.25)
    assert (entry.ece, entry.brier) == (None, None)
    assert {row.quality for row in judged.dials} == {0.25}


def test_two_arms_of_a_pool_send_them_to_that_arm_at_every_threshold(tmp_path: Path) -> None:
    two = {"tiny": "tiny-1", "big": "big-1"}
    words = {word: (row[0], row[2]) for word, row in WORDS.items()}
    made = write_tiny_pool(tmp_path / "b", two, words)
    table = joined((readable(40, ("tiny", "big")), strange(40, tiny=0.0, big=1.0)))
    held = judge_pool(made, table).found.row(NAME).two_arms
    assert held is not None
    assert (held.edge, held.cloud) == ("tiny", "big")
    score = np.repeat([0.0, 1.0, -1.0], [20, 20, 40])
    edge, cloud = np.repeat([0.0, 1.0, 0.0], [20, 20, 40]), np.repeat([1.0, 0.0, 1.0], [20, 20, 40])
    assert held.apgr == pytest.approx(evaluate_scores(score, edge, cloud).apgr)


def test_the_command(bundle: Bundle, tmp_path: Path) -> None:
    lines = [
        json.dumps(
            {
                "id": row.id,
                "prompt": row.prompt,
                "arms": {
                    name: {"quality": list(arm.quality), "cost_usd": list(arm.cost_usd or ())}
                    for name, arm in row.arms.items()
                },
            }
        )
        for row in unseen(60).rows
    ]
    strange_row = json.loads(lines[0]) | {"id": "strange", "prompt": "这是什么东西"}
    lines.append(json.dumps(strange_row))
    (tmp_path / "new.jsonl").write_text("\n".join(lines))
    given = ("evaluate", "--bundle", str(bundle.path), "--outcomes", "new.jsonl")
    done = run(*given, "--report", "out", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["n"], found["n_out_of_scope"]) == (61, 1)
    assert found["estimators"][0]["name"] == NAME
    assert (tmp_path / "out" / "compare.html").is_file()
    shown = run(*given, cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "dial asked" in shown.stdout
    assert "1 of the 61 judged rows are out of scope" in " ".join(shown.stdout.split())
    wrong = run(*given, "--edge", "poet", cwd=tmp_path)
    assert wrong.returncode == 2
    assert "leave it out" in " ".join(wrong.stderr.split())


def test_a_pair_needs_its_arms_names(tmp_path: Path) -> None:
    (tmp_path / "o.jsonl").write_text('{"id": "1", "prompt": "x", "arms": {"a": {"quality": 1}}}')
    done = run("evaluate", "--outcomes", "o.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert "--edge" in done.stderr
