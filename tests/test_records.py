"""training/judging/records.py: one row a prompt, costs stated, given or learnt, misfits named."""

from __future__ import annotations

import numpy as np
import pytest
from pool_case import scores

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.judging.records import costs_filled, records_of

NAN = np.nan


def test_the_first_row_of_a_prompt_stays_and_conflicts_are_counted() -> None:
    table = scores([[1, 0], [0, 0], [1, 0], [1, NAN]], texts=["a", "a", "b", "a"])
    held = records_of(table)
    np.testing.assert_array_equal(held.table.quality, [[1, 0], [1, 0]])
    assert (held.duplicates, held.conflicts) == (2, 1)
    assert len(records_of(table, keep_duplicates=True).table) == 4


def test_rows_to_judge_follow_and_are_counted_where_they_were_trained_on() -> None:
    held = records_of(scores([[1, 0], [0, 1]], texts=["a", "b"]), scores([[1, 1]], texts=["b"]))
    assert held.test is not None
    assert held.test.tolist() == [2]
    assert held.rows_in_both == 1
    assert len(held.table) == 3


def test_columns_of_the_rows_to_judge_are_brought_in_order() -> None:
    test = scores([[0.3, 0.1, 0.2]], arms=["c", "a", "b"], cost=[[3, 1, 2]], texts=["z"])
    held = records_of(scores([[1, 0]], arms=["a", "b"], cost=[[1, 1]]), test)
    assert held.table.quality[1].tolist() == [0.1, 0.2]
    assert held.cost is not None
    assert held.cost[1].tolist() == [1, 2]


def test_an_arm_that_the_rows_to_judge_lack_is_named() -> None:
    test = scores([[0.3]], arms=["a"], texts=["z"])
    with pytest.raises(DataError, match="has no arm 'b', which the rows to train on have"):
        records_of(scores([[1, 0]], arms=["a", "b"]), test)


def test_a_cost_that_is_not_stated_is_learnt_from_those_that_are() -> None:
    """Filled with a mean, it would make every line flatter."""
    draw = np.random.default_rng(0)
    texts = [f"{row:03d}" + "x" * int(more) for row, more in enumerate(draw.integers(0, 900, 200))]
    lengths = np.array([len(text) for text in texts])
    whole = np.column_stack([1e-6 * lengths, 1e-5 * lengths])
    cost = np.where(draw.random(whole.shape) < 0.5, NAN, whole)
    held = records_of(scores(np.ones((200, 2)), cost=cost, texts=texts))
    np.testing.assert_array_equal(held.cost, cost)
    train, test = np.arange(150), np.arange(150, 200)
    learnt = held.expected_cost(train)
    np.testing.assert_allclose(learnt.usd_per_character, [1e-6, 1e-5])
    expected = learnt.of(held.characters[test])
    np.testing.assert_allclose(costs_filled(held.cost[test], expected), whole[test])


def test_costs_of_rows_to_judge_alone_cannot_be_learnt_from() -> None:
    train = scores([[1, 0], [0, 1]], cost=[[1, NAN], [1, NAN]], texts=["a", "b"])
    held = records_of(train, scores([[1, 1]], cost=[[1, 2]], texts=["c"]))
    assert held.cost is None
    assert "no cost of 'arm1' is stated" in str(held.no_cost)


def test_rows_that_state_no_cost_of_an_arm_are_refused_to_learn_from() -> None:
    held = records_of(scores([[1, 0], [0, 1]], cost=[[1, NAN], [1, 2]]))
    with pytest.raises(DataError, match="no cost of 'arm1' is stated in 1 rows .* --cost arm1=USD"):
        held.expected_cost(np.array([0]))
    with pytest.raises(DataError, match="there are no costs to learn from"):
        records_of(scores([[1, 0]])).expected_cost(np.array([0]))


def test_without_costs_the_reason_is_told() -> None:
    none = records_of(scores([[1, 0]]))
    assert none.cost is None
    assert "--cost" in str(none.no_cost)
    some = records_of(scores([[1, 0]], cost=[[1, NAN]]))
    assert some.cost is None
    assert "no cost of 'arm1' is stated" in str(some.no_cost)


def test_prices_stand_in_for_costs_of_their_arms() -> None:
    held = records_of(scores([[1, 0]]), prices={"arm0": 0.0, "arm1": 2.0})
    np.testing.assert_array_equal(held.cost, [[0, 2]])
    one = records_of(scores([[1, 0], [1, 0]], cost=[[1, 5], [3, NAN]]), prices={"arm1": 4.0})
    np.testing.assert_array_equal(one.cost, [[1, 4], [3, 4]])
    assert "no cost of 'arm1'" in str(records_of(scores([[1, 0]]), prices={"arm0": 1.0}).no_cost)


@pytest.mark.parametrize("price", [-1.0, NAN, np.inf])
def test_a_price_that_is_none_is_refused(price: float) -> None:
    with pytest.raises(DataError, match="the cost of 'arm1' is .*at least 0"):
        records_of(scores([[1, 0]]), prices={"arm1": price})


def test_a_price_of_an_unknown_arm_is_refused() -> None:
    with pytest.raises(DataError, match="a cost is given for 'x'"):
        records_of(scores([[1, 0]]), prices={"x": 1.0})


def test_each_arm_may_come_in_rows_of_its_own() -> None:
    """As one file an arm gives them."""
    rows = [[1, NAN], [0, NAN], [NAN, 0.5], [NAN, 1], [1, 1]]
    cost = [[1, NAN], [1, NAN], [NAN, 7], [NAN, 8], [2, 9]]
    held = records_of(scores(rows, cost=cost, texts=["a", "b", "a", "b", "b"]))
    np.testing.assert_array_equal(held.table.quality, [[1, 0.5], [0, 1]])
    np.testing.assert_array_equal(held.table.cost_usd, [[1, 7], [1, 8]])
    assert (held.duplicates, held.conflicts) == (1, 1)
