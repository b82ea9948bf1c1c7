"""An id names one prompt within a file."""

from __future__ import annotations

from typing import Any

import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import ArmOutcome, Outcome
from hybridroute.training.readers.unique_ids import UniqueIds


def row(id: str, prompt: Any) -> Outcome:
    return Outcome(id=id, prompt=prompt, arms={"edge": ArmOutcome(quality=(1.0,))})


def test_other_ids_and_the_same_prompt_again_are_taken() -> None:
    held = UniqueIds()
    held.add(1, row("a", "one"))
    held.add(2, row("b", "one"))
    held.add(3, row("a", "one"))


def test_another_prompt_under_an_id_is_told_with_the_first_line_of_it() -> None:
    held = UniqueIds()
    for line, prompt in ((4, "one"), (5, "one")):
        held.add(line, row("a", prompt))
    with pytest.raises(DataError, match="id: 'a' stands on line 4 with another prompt"):
        held.add(6, row("a", "two"))


def test_a_prompt_as_text_and_as_its_message_are_one() -> None:
    held = UniqueIds()
    held.add(1, row("a", "one"))
    held.add(2, row("a", ({"role": "user", "content": "one"},)))
    with pytest.raises(DataError):
        held.add(3, row("a", ({"role": "user", "content": "two"},)))


def test_files_may_share_ids() -> None:
    for prompt in ("one", "two"):
        UniqueIds().add(1, row("a", prompt))
