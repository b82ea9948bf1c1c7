"""Asking a quality function, and refusing what cannot be a quality."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.quality.protocol import Item, PerItem
from hybridroute.training.quality.scoring import score_items
from hybridroute.training.quality.token_f1 import token_f1

ITEMS = [Item(query="q", response=text) for text in ("a", " ", "b")]
PLACES = ["line 1", "line 2", "line 3"]


class Judge:
    """Returns what it is told to, and keeps what it was asked."""

    name, source, needs_reference = "judge", "here", False

    def __init__(
        self,
        answer: Callable[[int], Any],
        *,
        range: tuple[float, float] | None = None,
        blank: float | None = None,
    ) -> None:
        self._answer, self.range, self.blank = answer, range, blank
        self.asked: list[str] = []

    def score(self, batch: Any) -> Any:
        self.asked += [item.response for item in batch]
        return self._answer(len(batch))

    def notes(self) -> tuple[str, ...]:
        return ()

    def close(self) -> None:
        pass


def test_blank_responses_get_their_quality_unasked() -> None:
    held = Judge(lambda n: np.arange(n) + 1.0, blank=-5.0)
    assert score_items(held, ITEMS, PLACES).tolist() == [1.0, -5.0, 2.0]
    assert held.asked == ["a", "b"]
    assert score_items(held, ITEMS[1:2], PLACES[1:2]).tolist() == [-5.0]
    assert held.asked == ["a", "b"], "of blank ones alone nobody is asked"


def test_where_a_blank_has_no_quality_of_its_own_it_is_asked_for() -> None:
    held = Judge(lambda n: [0.5] * n)
    assert score_items(held, ITEMS, PLACES).tolist() == [0.5] * 3
    assert held.asked == ["a", " ", "b"]


def test_no_items_have_no_quality() -> None:
    assert score_items(Judge(lambda n: 1 / 0), [], []).tolist() == []


def test_a_missing_reference_names_the_place_and_a_blank_response_is_zero() -> None:
    held = token_f1()
    blank = Item(query="", response="\n ", reference="x")
    assert score_items(held, [blank], ["p"]).tolist() == [0.0]
    for reference in (None, "  "):
        item = Item(query="", response="x", reference=reference)
        with pytest.raises(DataError, match="r.jsonl line 2: reference is missing and token-f1"):
            score_items(held, [item], ["r.jsonl line 2"])


@pytest.mark.parametrize(
    ("answer", "given", "said"),
    [
        (lambda n: [0.0] * (n + 1), {}, r"judge returned shape \(4,\) for 3 responses"),
        (lambda n: 0.0, {}, r"shape \(\) for 3"),
        (lambda n: [[0.0]] * n, {}, r"shape \(3, 1\) for 3"),
        (lambda n: [0.0, float("nan"), 0.0], {}, "line 2: judge is nan"),
        (lambda n: [0.0, 0.0, float("inf")], {}, "line 3: judge is inf.*at most"),
        (lambda n: [0.0, 0.0, -2e9], {}, "line 3: judge is -2000000000.0"),
        (lambda n: [1.1, 0.0, 0.0], {"range": (0.0, 1.0)}, "line 1: judge is 1.1.*from 0 to 1"),
        (lambda n: [0.0, 0.0, -0.1], {"range": (0.0, 1.0)}, "line 3: judge is -0.1"),
        (lambda n: ["a"] * n, {}, None),
        (lambda n: 1 / 0, {}, r"line 1 and 2 more: judge failed \(ZeroDivisionError"),
    ],
)
def test_what_is_no_quality_is_told_by_place(
    answer: Any, given: dict[str, Any], said: str | None
) -> None:
    with pytest.raises(DataError, match=said or "judge failed"):
        score_items(Judge(answer, **given), ITEMS, PLACES)


def test_round_off_at_the_ends_of_a_range_is_let_through() -> None:
    ends = [-5e-5, 0.5, 1.00005]
    held = Judge(lambda n: ends, range=(0.0, 1.0))
    assert score_items(held, ITEMS, PLACES).tolist() == ends


def test_an_item_that_cannot_be_judged_is_found_behind_blank_ones() -> None:
    def judge(item: Item) -> float:
        if item.response == "b":
            raise DataError("no")
        return 0.0

    held = PerItem(
        name="mine", source="", needs_reference=False, range=None, blank=0.0, judge=judge
    )
    with pytest.raises(DataError, match="line 3: mine: no"):
        score_items(held, ITEMS, PLACES)


def test_an_error_of_ours_stays_what_it_is() -> None:
    def raising(n: int) -> Any:
        raise ConfigError("no model")

    with pytest.raises(ConfigError, match="^no model$"):
        score_items(Judge(raising), ITEMS, PLACES)
