"""Prompts by id, seeds, and what is left to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sample_fakes import plan

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.sampling_plan import DrawSettings, jobs_of, read_sample_prompts, spread


def written(tmp_path: Path, *lines: object, name: str = "p.jsonl") -> Path:
    path = tmp_path / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_rows_without_an_id_keep_their_name_wherever_they_stand(tmp_path: Path) -> None:
    one = written(tmp_path, {"prompt": "a"}, {"prompt": "b"})
    two = written(tmp_path, {"prompt": "b"}, {"prompt": "c"}, {"prompt": "b"}, name="q.jsonl")
    first, second = read_sample_prompts([one]), read_sample_prompts([two])
    assert len(first.rows.keys() & second.rows.keys()) == 1
    assert (len(second.rows), second.duplicates) == (2, 1)
    assert len(read_sample_prompts([one, two]).rows) == 3


def test_one_id_with_two_prompts_names_both_lines(tmp_path: Path) -> None:
    one = written(tmp_path, {"id": "x", "prompt": "a"})
    two = written(tmp_path, {"prompt": "z"}, {"id": "x", "prompt": "b"}, name="q.jsonl")
    with pytest.raises(
        DataError, match=r"q\.jsonl, line 2: the id 'x' stands at .*p\.jsonl, line 1"
    ):
        read_sample_prompts([one, two])
    three = written(tmp_path, {"id": "x", "prompt": "a", "reference": "r"}, name="r.jsonl")
    with pytest.raises(DataError, match="another prompt or reference"):
        read_sample_prompts([one, three])


def test_seeds_differ_and_hang_on_nothing_else() -> None:
    draw = DrawSettings(seed=3)
    seeds = {
        draw.seed_of(prompt, arm, sample)
        for prompt in ("a", "b")
        for arm in ("edge", "cloud")
        for sample in range(10)
    }
    assert len(seeds) == 40
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert DrawSettings(seed=3, n=2).seed_of("a", "edge", 1) == draw.seed_of("a", "edge", 1)
    assert DrawSettings(seed=4).seed_of("a", "edge", 1) != draw.seed_of("a", "edge", 1)


def test_only_what_is_missing_is_left() -> None:
    made = plan(prompts=3, n=3)
    done = {("p0", "edge"): {0, 1, 2}, ("p1", "edge"): {1}, ("p2", "cloud"): {0}}
    left = {job.id: job.samples for job in jobs_of(made, made.arms[0], done)}
    assert left == {"p1": (0, 2), "p2": (0, 1, 2)}


@pytest.mark.parametrize("workers", [1, 2, 3, 8, 100])
def test_few_prompts_are_spread_over_all_workers(workers: int) -> None:
    made = plan(prompts=2, n=5)
    pieces = list(spread(jobs_of(made, made.arms[0], {}), workers))
    drawn = [(piece.id, sample) for piece in pieces for sample in piece.samples]
    assert sorted(drawn) == [(f"p{i}", sample) for i in range(2) for sample in range(5)]
    assert len(pieces) >= min(workers, 10)
    assert all(piece.samples for piece in pieces)


@pytest.mark.parametrize(
    "wrong",
    [
        {"n": 0},
        {"max_tokens": 0},
        {"temperature": float("nan")},
        {"temperature": 2.1},
        {"top_p": 0.0},
        {"temperature": 0.0, "n": 2},
    ],
)
def test_settings_out_of_range(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        DrawSettings(**wrong)


def test_two_arms_of_one_name_and_none() -> None:
    with pytest.raises(ConfigError, match="two arms are called 'edge'"):
        plan("edge=a", "edge=b")
    with pytest.raises(ConfigError, match="no arm"):
        type(plan())(prompts={}, arms=(), draw=DrawSettings())
