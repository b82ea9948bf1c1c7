"""Files that give their bytes once: pipes are read whole, or refused with the way out."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cli_run import run
from tiny_bundle import write_tiny_bundle
from tiny_encoder import CLOUD, EDGE, outcomes, write_outcomes

from hybridroute.edge_runtime.errors import DataError
from hybridroute.ratings import read_ratings
from hybridroute.training.answers import answered_prompts
from hybridroute.training.readers import read_outcomes

pytestmark = pytest.mark.skipif(os.name == "nt", reason="named pipes")

LINE = json.dumps({"id": "1", "prompt": "why?", "arms": {"a": {"quality": 1}}})
MIX = json.dumps(
    {
        "id": "a/1",
        "instruction": "why?",
        "candidates": [{"model": "a", "text": "x", "scores": {"bartscore": -1.0}}],
    }
)
DC = json.dumps([{"question": "why?", "scores": {"a": 0.5}}])
BENCH = "sample_id,prompt,eval_name,a,a|model_response,a|total_cost\ns,why?,e,1,x,0\n"

Piped = Callable[[str], Path]


@pytest.fixture
def piped(tmp_path: Path) -> Iterator[Piped]:
    """A pipe that gives a text once."""
    path, writers = tmp_path / "pipe", []
    os.mkfifo(path)

    def made(text: str) -> Path:
        writers.append(threading.Thread(target=path.write_text, args=(text,), daemon=True))
        writers[-1].start()
        return path

    yield made
    for writer in writers:
        writer.join(timeout=10)
        assert not writer.is_alive(), "it was never read"


@pytest.mark.parametrize("text", [LINE, MIX, DC, "prompt,a\nwhy?,true\n", BENCH])
def test_outcomes_of_every_kind(piped: Piped, text: str) -> None:
    table = read_outcomes([piped(text)])
    assert (table.texts(), table.arm_names, table.source) == (["why?"], ("a",), "pipe")


def test_more_than_what_a_pipe_holds(piped: Piped) -> None:
    rows = [json.loads(LINE) | {"id": str(n), "prompt": f"why {n}?"} for n in range(5000)]
    assert len(read_outcomes([piped("\n".join(map(json.dumps, rows)))])) == 5000


def test_a_bad_line_names_the_pipe(piped: Piped, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_outcomes([piped(f'{LINE}\n{{"arms"}}\n')])
    assert str(caught.value).startswith(f"{tmp_path / 'pipe'} line 2: not a JSON object")


def test_a_pipe_of_no_known_kind_and_an_empty_one(piped: Piped) -> None:
    with pytest.raises(DataError, match=r"pipe is of no known kind"):
        read_outcomes([piped("hello\n")])
    with pytest.raises(DataError, match=r"pipe gave nothing; check what writes to it"):
        read_outcomes([piped("")])


def test_ratings(piped: Piped) -> None:
    rating = {"id": "1", "at": 1.0, "bundle": "b", "arm": "edge", "model": "m", "reason": "score"}
    rating |= {"score": 0.5, "propensity": None, "quality": 1.0}
    assert [one.id for one in read_ratings(piped(json.dumps(rating)))] == ["1"]


def test_answers_are_read_more_than_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match=r"pipe is no regular file, .* save them to a file"):
        list(answered_prompts([tmp_path / "pipe"]))


def test_evaluate_reads_standard_input(tmp_path: Path) -> None:
    rows = write_outcomes(tmp_path / "rows.jsonl", outcomes(60)).read_text(encoding="utf-8")
    write_tiny_bundle(tmp_path / "b", weights={"greet": 9.0, "prove": -9.0})
    asked = ("evaluate", "--bundle", "b", "--outcomes", "/dev/stdin")
    pair = ("--edge", EDGE, "--cloud", CLOUD, "--json")
    done = run(*asked, *pair, cwd=tmp_path, stdin=rows, without=("torch", "transformers"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n"] == 60
