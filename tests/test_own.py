"""A user's own quality function, by file and by module."""

from __future__ import annotations

from pathlib import Path

import pytest

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.quality.own import own_quality
from hybridroute.training.quality.protocol import Item
from hybridroute.training.quality.scoring import score_items

OWN = """
import numpy as np
def wordy(query, response, reference):
    return len(response.split())
def broken(query, response, reference):
    raise RuntimeError("no")
def empty(query, response, reference):
    return float("nan")
class Judge:
    name = "judge"
    needs_reference = True
    range = (0.0, 1.0)
    blank = 0.25
    def score(self, batch):
        return np.full(len(batch), 0.5)
class Short(Judge):
    def score(self, batch):
        return np.zeros(len(batch) + 1)
class High(Judge):
    def score(self, batch):
        return np.full(len(batch), 7.0)
judge, short, high = Judge(), Short(), High()
number = 3
"""


@pytest.fixture
def own(tmp_path) -> str:
    (tmp_path / "own_judges.py").write_text(OWN)
    return str(tmp_path / "own_judges.py")


def test_own_functions_by_file_and_by_module(own, tmp_path, monkeypatch) -> None:
    items = [Item(query="q", response="two words", reference="r"), Item(query="q", response=" ")]
    assert own_quality(f"{own}:wordy").score(items).tolist() == [2.0, 0.0]
    monkeypatch.syspath_prepend(str(tmp_path))
    held = own_quality("own_judges:judge")
    assert (held.name, held.needs_reference, held.blank) == ("judge", True, 0.25)
    blank = Item(query="q", response=" ", reference="r")
    assert score_items(held, [items[0], blank], ["a", "b"]).tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("attribute", "says"),
    [
        ("broken", r"place 0 and 0 more: broken failed \(RuntimeError: no\)"),
        ("empty", "place 0: empty is nan"),
        ("short", r"returned shape \(2,\) for 1 responses"),
        ("high", "place 0: judge is 7.0; a quality must be a number from 0 to 1"),
    ],
)
def test_what_an_own_function_may_not_return(own, attribute: str, says: str) -> None:
    item = Item(query="q", response="x", reference="r")
    with pytest.raises(DataError, match=says):
        score_items(own_quality(f"{own}:{attribute}"), [item], ["place 0"])


def test_an_object_s_notes_are_handed_on_and_it_is_closed_where_it_can_be(tmp_path: Path) -> None:
    file = tmp_path / "judges.py"
    file.write_text(
        "class Plain:\n"
        "    def score(self, batch): return [0.0] * len(batch)\n"
        "class Whole(Plain):\n"
        "    source = 'a paper'\n"
        "    closed = False\n"
        "    def notes(self): return ['2 were cut']\n"
        "    def close(self): self.closed = True\n"
        "plain, whole = Plain(), Whole()\n"
    )
    plain, whole = own_quality(f"{file}:plain"), own_quality(f"{file}:whole")
    assert (plain.name, plain.source, plain.notes()) == ("plain", f"{file}:plain", ())
    assert (plain.needs_reference, plain.range, plain.blank) == (False, None, None)
    plain.close()
    assert (whole.source, whole.notes()) == ("a paper", ("2 were cut",))
    whole.close()
    assert whole.held.closed  # type: ignore[attr-defined]


def test_a_module_that_fails_to_load_says_why(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match="ZeroDivisionError: division by zero"):
        own_quality(f"{tmp_path / 'bad.py'}:judge")


def test_a_class_with_score_is_no_object(tmp_path: Path) -> None:
    """It is called, as any function is, and its instance is no number."""
    (tmp_path / "kinds.py").write_text("class Judge:\n    def score(self, batch): return []\n")
    held = own_quality(f"{tmp_path / 'kinds.py'}:Judge")
    item = Item(query="q", response="x")
    with pytest.raises(DataError, match="Judge failed"):
        score_items(held, [item], ["p"])
