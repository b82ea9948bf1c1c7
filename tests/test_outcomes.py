"""The outcome table: checks at birth, the pair, duplicates."""

import math

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable, joined


def row(prompt="What is 2+2?", *, edge=(1.0,), cloud=(0.0,), **more):
    arms = {"edge": ArmOutcome(quality=edge)}
    if cloud is not None:
        arms["cloud"] = ArmOutcome(quality=cloud)
    return Outcome(**({"id": "r", "prompt": prompt, "arms": arms} | more))


def table(*rows):
    return OutcomeTable(rows=rows, source="test")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_quality_that_is_not_finite_is_refused(bad):
    with pytest.raises(DataError, match=r"quality\[1\]"):
        ArmOutcome(quality=(0.5, bad))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"quality": ()}, "quality is empty"),
        ({"quality": (1.0,), "responses": ("a", "b")}, "responses has 2 entries"),
        ({"quality": (1.0,), "cost_usd": (-0.1,)}, r"cost_usd\[0\] is -0.1"),
        ({"quality": (1.0,), "latency_ms": (math.nan,)}, r"latency_ms\[0\]"),
    ],
)
def test_a_bad_arm_names_its_field(fields, says):
    with pytest.raises(DataError, match=says):
        ArmOutcome(**fields)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"prompt": " \n"}, "prompt is empty"),
        ({"prompt": ()}, "prompt: messages is empty"),
        ({"prompt": ({"role": "alien", "content": "x"},)}, "role"),
        ({"arms": {}}, "arms is empty"),
    ],
)
def test_a_bad_row_names_its_field(fields, says):
    with pytest.raises(DataError, match=says):
        row(**fields)


def test_mean_quality_is_the_mean_over_responses():
    held = table(row(edge=(0.0, 1.0, 1.0, 0.0)), row(edge=(-2.5,))).mean_quality("edge")
    assert held.dtype == np.float64
    assert held.tolist() == [0.5, -2.5]


def test_mean_quality_of_a_missing_arm_names_row_and_arm():
    with pytest.raises(DataError, match=r"'lonely'.*'cloud'.*with_pair"):
        table(row(cloud=None, id="lonely")).mean_quality("cloud")


def test_texts_are_the_users_turns_of_text_and_of_messages():
    chat = (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Why is the sky blue?"},
    )
    assert table(row("hello"), row(chat)).texts() == ["hello", "Why is the sky blue?"]


def test_with_pair_drops_rows_that_lack_an_arm_and_counts_them():
    pair = table(row("a"), row("b", cloud=None), row("c")).with_pair("edge", "cloud")
    assert pair.dropped == 1
    assert pair.table.texts() == ["a", "c"]


def test_with_pair_says_which_arms_there_are():
    with pytest.raises(DataError, match=r"\['cloud', 'edge'\]"):
        table(row()).with_pair("edge", "gpt")
    with pytest.raises(DataError, match="both 'edge'"):
        table(row()).with_pair("edge", "edge")


def test_duplicates_keep_the_first_row_and_count_conflicts():
    rows = (
        row("a b", id="1", edge=(1.0, 0.0)),
        row("a  b\n", id="2", edge=(0.0, 1.0)),
        row("a b", id="3", edge=(0.0, 0.0)),
        row("c", id="4"),
    )
    found = table(*rows).deduplicated()
    assert [kept.id for kept in found.table.rows] == ["1", "4"]
    assert (found.duplicates, found.conflicts) == (2, 1)


def test_select_takes_masks_and_indices():
    held = table(row("a"), row("b"), row("c"))
    assert held.select(np.array([True, False, True])).texts() == ["a", "c"]
    assert held.select([2, 0]).texts() == ["c", "a"]
    assert len(held.select([])) == 0
    with pytest.raises(DataError, match="mask has shape"):
        held.select([True, False])


def test_mean_cost_is_none_unless_every_row_states_it():
    priced = row(arms={"edge": ArmOutcome(quality=(1.0, 0.0), cost_usd=(0.25, 0.75))})
    assert table(priced).mean_cost_usd("edge").tolist() == [0.5]
    assert table(priced, row()).mean_cost_usd("edge") is None


def test_joined_keeps_order_and_every_arm():
    whole = joined([table(row("a", cloud=None)), table(row("b"))])
    assert whole.texts() == ["a", "b"]
    assert whole.arm_names == ("edge", "cloud")
