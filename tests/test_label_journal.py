"""Labelling that is killed and taken up again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from test_labelling import lines, sampled

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.answers import answered_prompts
from hybridroute.training.labelling import LabelPlan, label_file
from hybridroute.training.quality import build_qualities
from hybridroute.training.quality.protocol import Item, PerItem
from hybridroute.training.readers import read_canonical

PARTIAL = "outcomes.jsonl.partial"
JUDGE = """
import os, signal
from pathlib import Path

def judge(query, response, reference):
    with Path("judged").open("a") as file:
        file.write("x")
    if Path("fatal").exists() and Path("judged").stat().st_size > 13:
        os.kill(os.getpid(), signal.SIGKILL)
    return float(len(response))
"""
RUN = """
from pathlib import Path
from hybridroute.training.answers import answered_prompts
from hybridroute.training.labelling import LabelPlan, label_file
from hybridroute.training.quality import build_qualities
plan = LabelPlan(functions=build_qualities(["judge.py:judge"]), chunk=4)
label_file(answered_prompts([Path("responses.jsonl")]), plan, Path("outcomes.jsonl"))
"""


def answers(n: int) -> list[dict]:
    return [sampled(f"q{at}", arm, 0, "x" * at) for at in range(n) for arm in ("edge", "cloud")]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_killed_it_goes_on_and_loses_the_chunk_in_flight_alone(tmp_path: Path) -> None:
    lines(tmp_path, *answers(10))
    (tmp_path / "judge.py").write_text(JUDGE)
    (tmp_path / "fatal").touch()
    first = subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, check=False)
    assert first.returncode == -signal.SIGKILL
    assert not (tmp_path / "outcomes.jsonl").exists()
    assert len((tmp_path / PARTIAL).read_bytes().splitlines()) == 1 + 6
    (tmp_path / "fatal").unlink()
    (tmp_path / "judged").unlink()
    subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, check=True)
    assert (tmp_path / "judged").stat().st_size == 20 - 12
    table = read_canonical(tmp_path / "outcomes.jsonl")
    assert [row.arms["edge"].quality[0] for row in table.rows] == [float(at) for at in range(10)]
    assert not (tmp_path / PARTIAL).exists()
    whole = (tmp_path / "outcomes.jsonl").read_bytes()
    subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, check=True)
    assert (tmp_path / "outcomes.jsonl").read_bytes() == whole


class Judge:
    """Fails at the response ``bad``; counts what it judged."""

    def __init__(self, bad: str | None = None) -> None:
        self.judged: list[str] = []
        self.bad = bad

    def plan(self, **changes: object) -> LabelPlan:
        held = PerItem(
            name="length", source="a test", needs_reference=False, range=None, blank=None,
            judge=self,
        )  # fmt: skip
        return LabelPlan(functions=(held,), chunk=1, **changes)

    def __call__(self, item: Item) -> float:
        if item.response == self.bad:
            raise DataError("cannot be judged")
        self.judged.append(item.response)
        return float(len(item.response))


def stopped(tmp_path: Path, n: int = 4) -> Path:
    """A responses file, labelled up to its last prompt but one."""
    path = lines(tmp_path, *answers(n))
    with pytest.raises(DataError, match="cannot be judged"):
        label_file(
            answered_prompts([path]), Judge("x" * (n - 1)).plan(), tmp_path / "outcomes.jsonl"
        )
    return path


def test_a_line_cut_off_by_the_kill_is_judged_again(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    partial = tmp_path / PARTIAL
    partial.write_bytes(partial.read_bytes()[:-5])
    judge = Judge()
    audit = label_file(answered_prompts([path]), judge.plan(), tmp_path / "outcomes.jsonl")
    assert (judge.judged, audit.taken_up) == (["xx", "xx", "xxx", "xxx"], 2)
    assert len(read_canonical(tmp_path / "outcomes.jsonl")) == 4


def test_answers_that_changed_are_judged_again_and_the_input_gives_the_order(
    tmp_path: Path,
) -> None:
    stopped(tmp_path)
    held = answers(4)
    held[0]["response"] = "other"
    path = lines(tmp_path, *reversed(held))
    judge, done = Judge(), []
    out = tmp_path / "outcomes.jsonl"
    audit = label_file(
        answered_prompts([path]), judge.plan(), out, on_row=lambda row: done.append(row.id)
    )
    assert (judge.judged, audit.taken_up) == (["xxx", "xxx", "", "other"], 2)
    assert [row.id for row in read_canonical(out).rows] == done == ["q3", "q2", "q1", "q0"]


def test_other_arguments_are_refused_by_name(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    before = (tmp_path / PARTIAL).read_bytes()
    for plan, said in (
        (Judge().plan(settings={"layer": 5}), "layer was None and is 5"),
        (
            LabelPlan(functions=build_qualities(["token-f1"])),
            r"quality was \['length \(a test\)'\]",
        ),
    ):
        with pytest.raises(ConfigError, match=rf"begun with other arguments: {said}.*delete it"):
            label_file(answered_prompts([path]), plan, tmp_path / "outcomes.jsonl")
    assert (tmp_path / PARTIAL).read_bytes() == before


@pytest.mark.parametrize("held", [b"notes\n", b"notes", b'{"kind": "x"}\n', b"[]\n"])
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, held: bytes) -> None:
    (tmp_path / PARTIAL).write_bytes(held)
    with pytest.raises(DataError, match="holds something else; move it"):
        label_file(iter(()), Judge().plan(), tmp_path / "outcomes.jsonl")
    assert (tmp_path / PARTIAL).read_bytes() == held


def test_a_kill_in_the_first_line_is_no_harm(tmp_path: Path) -> None:
    path = stopped(tmp_path)
    partial = tmp_path / PARTIAL
    for cut in (0, 10):
        partial.write_bytes(partial.read_bytes()[:cut])
        label_file(answered_prompts([path]), Judge().plan(), tmp_path / "outcomes.jsonl")
        assert not partial.exists()
        stopped(tmp_path)


def test_the_journal_states_arguments_and_rows(tmp_path: Path) -> None:
    stopped(tmp_path)
    first, *rows = (tmp_path / PARTIAL).read_text().splitlines()
    assert json.loads(first)["quality"] == ["length (a test)"]
    assert [json.loads(row[33:])["id"] for row in rows] == ["q0", "q1", "q2"]
