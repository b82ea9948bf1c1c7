"""Ratings read back: from a log, from its export, and what is refused of either."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sdk_fakes import bundle, cloud_arm, edge_arm, user

from hybridroute import HybridClient
from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.ratings import Rating, checked_quality, read_ratings


def rating(**changes: Any) -> Rating:
    held = {
        "id": "route-1",
        "at": 5.0,
        "bundle": "b",
        "arm": "edge",
        "model": "m",
        "reason": "explored",
        "score": 0.4,
        "propensity": 0.5,
        "quality": 1.0,
    }
    return Rating(**{**held, **changes})


def line(**changes: Any) -> str:
    return json.dumps({**rating().to_dict(), **changes})


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "said.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["score", "propensity", "quality"])
@pytest.mark.parametrize("bad", [-0.01, 1.01, float("nan"), float("inf")])
def test_numbers_out_of_range_are_refused(name: str, bad: float) -> None:
    with pytest.raises(DataError, match=f"{name} of 'route-1' is .*from 0 to 1"):
        rating(**{name: bad})
    assert getattr(rating(**{name: None}), name) is None


def test_an_arm_that_answered_had_a_chance_to() -> None:
    with pytest.raises(DataError, match="propensity of 'route-1' is 0, and yet edge answered"):
        rating(propensity=0.0)


@pytest.mark.parametrize(
    ("good", "quality"), [(True, 1.0), (False, 0.0), (0, 0.0), (1, 1.0), (0.25, 0.25)]
)
def test_what_a_caller_may_say_of_an_answer(good: Any, quality: float) -> None:
    found = checked_quality(good)
    assert (found, type(found)) == (quality, float)


@pytest.mark.parametrize("bad", [2, -0.1, 10**400, float("nan"), "true", "0.5", None, [1]])
def test_what_a_caller_may_not(bad: Any) -> None:
    with pytest.raises(ConfigError, match="give true or false, or a number from 0 to 1") as caught:
        checked_quality(bad)
    assert caught.value.param == "good"


def test_lines_are_read_by_time_and_blank_ones_passed_over(tmp_path: Path) -> None:
    held = [
        rating(id="c", at=2.0, score=None, propensity=None, quality=None),
        rating(id="b", at=1.0),
        rating(id="a", at=2.0, quality=0.0),
    ]
    path = written(tmp_path, *(json.dumps(one.to_dict()) for one in held), "", "   ")
    assert read_ratings(path) == [held[1], held[2], held[0]]
    assert read_ratings(str(path)) == read_ratings(path)


def test_whole_numbers_are_numbers(tmp_path: Path) -> None:
    (found,) = read_ratings(written(tmp_path, line(at=7, score=1, quality=0)))
    assert (found.at, found.score, found.quality) == (7.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("{", "line 2: "),
        ("[]", "line 2: give the fields arm, at, bundle"),
        ("7", "line 2: give the fields"),
        (json.dumps({"id": "x"}), "line 2: give the fields"),
        (line(more=1), "no more and no less"),
        (line(id=5), "line 2: id is 5; give text"),
        (line(model=None), "model is None; give text"),
        (line(at=None), "line 2: at is None; give a number"),
        (line(at="now"), "at is 'now'; give a number"),
        (line(score=True), "score is True; give a number"),
        (line(quality="good"), "quality is 'good'; give a number"),
        (line(score=float("nan")), "score is nan; give a number"),
        (line(score=10**400), "line 2: score is 1000"),
        ("[" * 100_000, "line 2: "),
        (line(quality=3), "line 2: quality of 'route-1' is 3.0"),
        (line(propensity=0), "line 2: propensity of 'route-1' is 0"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, bad: str, said: str) -> None:
    path = written(tmp_path, line(), bad, line())
    with pytest.raises(DataError) as caught:
        read_ratings(path)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)


def test_files_that_are_neither_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_ratings(tmp_path / "nowhere")
    with pytest.raises(DataError, match="cannot be read"):
        read_ratings(tmp_path)
    latin = tmp_path / "latin.jsonl"
    latin.write_bytes(b'{"id": "\xe9"}')
    with pytest.raises(DataError, match="cannot be read"):
        read_ratings(latin)
    empty = tmp_path / "empty"
    empty.write_bytes(b"\n")
    with pytest.raises(DataError, match="holds no answered request"):
        read_ratings(empty)


def test_another_database_or_a_cut_one_is_no_log(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as held:
        held.execute("CREATE TABLE t (x)")
    held.close()
    cut = tmp_path / "cut.db"
    cut.write_bytes(other.read_bytes()[:200])
    for path in (other, cut):
        with pytest.raises(DataError, match="cannot be read as a decision log"):
            read_ratings(path)


def logged(path: Path) -> list[str]:
    """Four answers, the first two rated; the fourth request failed."""
    edge = edge_arm()
    with HybridClient(bundle(), edge=edge, cloud=cloud_arm(), threshold=0.5) as client:
        client.log_to(path)
        ids = []
        for text in ("0.9 a", "0.1 b", "0.8 c"):
            answer = client.chat.completions.create(messages=user(text))
            ids.append(answer.hybridroute.id)
        client.feedback(ids[0], good=True)
        client.feedback(ids[1], 0.25)
        edge.fails = ZeroDivisionError()
        with pytest.raises(ZeroDivisionError):
            client.chat.completions.create(messages=user("0.9 d"))
    return ids


def test_a_log_s_answers_are_read_with_what_was_said_of_them(tmp_path: Path) -> None:
    """Whatever the file's name holds, and without a change to it."""
    path = tmp_path / "a ?mode=rw #1 100%.db"
    ids = logged(path)
    before = path.read_bytes()
    found = {one.id: one for one in read_ratings(path)}
    assert set(found) == set(ids), "the failed one is not among them"
    assert [found[id].arm for id in ids] == ["edge", "cloud", "edge"]
    assert [found[id].score for id in ids] == pytest.approx([0.9, 0.1, 0.8])
    assert [found[id].quality for id in ids] == [1.0, 0.25, None]
    times = [one.at for one in found.values()]
    assert times == sorted(times)
    assert path.read_bytes() == before


def test_a_log_s_export_reads_back_as_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    logged(path)
    held = read_ratings(path)
    assert read_ratings(written(tmp_path, *(json.dumps(one.to_dict()) for one in held))) == held
