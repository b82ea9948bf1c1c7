"""How well a quality agrees with correctness: against counting every pair."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.quality.agreement import agreement, auc

DRAW = np.random.default_rng(0)
QUALITY = DRAW.integers(0, 6, 60) / 5.0
CORRECT = DRAW.random(60) < 0.3 + 0.4 * QUALITY
PROMPTS = [f"p{at % 17}" for at in range(60)]


def share(pairs: list[tuple[float, float]]) -> float:
    """Of pairs of a correct and a wrong one: how often the correct is rated above, ties half."""
    return sum((right > wrong) + 0.5 * (right == wrong) for right, wrong in pairs) / len(pairs)


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    pairs = list(product(QUALITY[CORRECT], QUALITY[~CORRECT]))
    assert auc(QUALITY, CORRECT) == pytest.approx(share(pairs))
    assert auc(-QUALITY, CORRECT) == pytest.approx(1.0 - share(pairs))
    assert auc(np.zeros(60), CORRECT) == 0.5


def test_where_all_or_none_are_correct_there_is_no_area() -> None:
    for correct in (np.ones(4, dtype=bool), np.zeros(4, dtype=bool)):
        assert auc(QUALITY[:4], correct) is None
        found = agreement(QUALITY[:4], correct, ["p"] * 4)
        assert (found.auc, found.auc_interval, found.within, found.pairs) == (None, None, None, 0)
        assert found.n == 4


def test_within_a_prompt_only_its_own_responses_are_compared() -> None:
    found = agreement(QUALITY, CORRECT, PROMPTS)
    pairs = [
        (QUALITY[one], QUALITY[other])
        for one, other in product(range(60), repeat=2)
        if PROMPTS[one] == PROMPTS[other] and CORRECT[one] and not CORRECT[other]
    ]
    assert (found.n, found.pairs) == (60, len(pairs))
    assert found.within == pytest.approx(share(pairs))
    assert found.auc == auc(QUALITY, CORRECT)


def test_the_interval_is_repeatable_holds_the_area_and_resamples_prompts() -> None:
    found = agreement(QUALITY, CORRECT, PROMPTS, seed=3)
    assert found.auc_interval is not None
    low, high = found.auc_interval
    assert low < (found.auc or 0.0) < high
    assert agreement(QUALITY, CORRECT, PROMPTS, seed=3) == found
    assert agreement(QUALITY, CORRECT, PROMPTS, seed=4).auc_interval != (low, high)
    one = agreement(QUALITY, CORRECT, ["p"] * 60)
    assert one.auc_interval == pytest.approx((found.auc, found.auc)), "one prompt never varies"


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(DataError, match="60 qualities, 59 correctness, 60 prompts"):
        agreement(QUALITY, CORRECT[1:], PROMPTS)
