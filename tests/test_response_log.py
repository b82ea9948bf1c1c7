"""The responses file while it is written, killed and taken up again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sample_fakes import plan, response, write_responses

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.response_log import ResponseLog, standing_of
from hybridroute.training.responses import read_responses

PLAN = plan("edge=small", prompts=2, n=3)


def drawn(sample: int = 0, arm: str = "edge", **changes: object):
    row = PLAN.prompts["p0"]
    return response(
        prompt=row.prompt,
        reference=row.reference,
        arm=arm,
        sample=sample,
        seed=PLAN.draw.seed_of("p0", arm, sample),
        settings=PLAN.draw.digest(PLAN.arms[0]),
        **changes,
    )


def test_lines_are_there_as_soon_as_they_are_appended(tmp_path: Path) -> None:
    path = tmp_path / "new" / "r.jsonl"
    with ResponseLog(path) as log:
        log.append(drawn(0))
        assert [held.sample for held in read_responses(path)] == [0]
        log.append(drawn(1))
    with ResponseLog(path) as log:
        log.append(drawn(2))
    assert [held.sample for held in read_responses(path)] == [0, 1, 2]


@pytest.mark.parametrize("cut", [1, 30, 10**6])
def test_a_line_that_was_cut_off_is_mended_by_the_next_one(tmp_path: Path, cut: int) -> None:
    long = drawn(1, **{"response": "x" * 200_000})
    path = write_responses(tmp_path / "r.jsonl", drawn(0))
    path.write_bytes(path.read_bytes() + long.to_line()[: -min(cut, 199_000)])
    with ResponseLog(path) as log:
        log.append(drawn(2))
    assert [held.sample for held in read_responses(path)] == [0, 2]


def test_a_file_of_another_kind_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"id": "a", "prompt": "b"}\n{"id": "c", "prompt": "d"}', encoding="utf-8")
    before = path.read_bytes()
    with ResponseLog(path), pytest.raises(DataError, match="line 1: arm is missing"):
        standing_of(path, PLAN)
    assert path.read_bytes() == before


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    with (
        ResponseLog(path),
        pytest.raises(DataError, match="being written by another process"),
    ):
        ResponseLog(path)
    ResponseLog(path).close()


@pytest.fixture
def small_disk() -> Iterator[Callable[[int], None]]:
    """Lets this process write files of so many bytes and no more, as a full disk does."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, small_disk: Callable[[int], None]) -> None:
    path = tmp_path / "r.jsonl"
    length = len(drawn(0).to_line())
    small_disk(length + length // 2)
    with ResponseLog(path) as log:
        log.append(drawn(0))
        with pytest.raises(DataError, match=r"cannot be written \(.*free space.*run the same"):
            log.append(drawn(1))
    small_disk(10**9)
    assert path.stat().st_size == length
    with ResponseLog(path) as log:
        log.append(drawn(1))
    assert [held.sample for held in read_responses(path)] == [0, 1]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="cannot be written"):
        ResponseLog(tmp_path / "file" / "r.jsonl")
    with pytest.raises(DataError, match="no plain file"):
        ResponseLog(tmp_path)


def test_what_stands_there_is_counted(tmp_path: Path) -> None:
    failed = drawn(1, **{"response": None, "error": "long", "finish_reason": "error"})
    other = drawn(0, arm="cloud", cost_usd=0.5)
    path = write_responses(tmp_path / "r.jsonl", drawn(0, cost_usd=0.25), failed, other)
    standing = standing_of(path, PLAN)
    assert standing.done == {("p0", "edge"): {0, 1}, ("p0", "cloud"): {0}}
    assert standing.cost_usd == pytest.approx(0.75)
    again = standing_of(path, PLAN, retry_errors=True)
    assert again.done[("p0", "edge")] == {0}


def test_a_price_that_is_named_later_counts_for_what_was_drawn_before(tmp_path: Path) -> None:
    path = write_responses(
        tmp_path / "r.jsonl", drawn(0, prompt_tokens=1000, completion_tokens=500), drawn(1)
    )
    priced = plan("edge=small,price-in=100,price-out=200", prompts=2, n=3)
    assert standing_of(path, priced).cost_usd == pytest.approx(0.2)
    assert standing_of(path, PLAN).cost_usd == 0.0


def test_other_settings_prompts_and_seeds_are_not_mixed(tmp_path: Path) -> None:
    path = write_responses(tmp_path / "r.jsonl", drawn())
    cooler = plan("edge=small", prompts=2, n=3, temperature=0.7)
    with pytest.raises(ConfigError, match="with other settings"):
        standing_of(path, cooler)
    with pytest.raises(ConfigError, match="another --seed"):
        standing_of(path, plan("edge=small", prompts=2, n=3, seed=1))
    rows = {**PLAN.prompts, "p0": PLAN.prompts["p1"]}
    with pytest.raises(DataError, match="line 2: the id 'p0' stands in .* with another prompt"):
        standing_of(path, plan("edge=small", prompts=rows, n=3))
    assert standing_of(path, plan("cloud=other", prompts=2)).done
