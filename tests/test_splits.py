"""Splits by hash."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.splits import split_by_domain, split_by_prompt, split_of

PARTS = (("fit", 0.6), ("select", 0.15), ("calibrate", 0.1), ("test", 0.15))


def table(count, domains=7):
    arms = {"a": ArmOutcome(quality=(1.0,))}
    return OutcomeTable(
        rows=tuple(
            Outcome(id=str(i), prompt=f"q {i}", domain=f"d{i % domains}", arms=arms)
            for i in range(count)
        ),
        source="test",
    )


def test_the_split_is_fixed_for_all_time():
    assert [split_of(f"mmlu_{i}", 7, PARTS) for i in range(6)] == [
        "fit",
        "fit",
        "fit",
        "fit",
        "test",
        "test",
    ]


@given(st.text(), st.integers())
def test_any_key_has_one_part(key, seed):
    assert split_of(key, seed, PARTS) == split_of(key, seed, PARTS)
    assert split_of(key, seed, PARTS) in {name for name, _ in PARTS}


def test_shares_are_met_on_average_and_seeds_differ():
    keys = [str(i) for i in range(20_000)]
    ones = [split_of(key, 1, PARTS) for key in keys]
    for name, share in PARTS:
        assert ones.count(name) / len(keys) == pytest.approx(share, abs=0.015)
    assert ones != [split_of(key, 2, PARTS) for key in keys]


def test_a_lone_surrogate_is_a_key_like_any_other():
    assert split_of("\ud800", 0, PARTS) in {name for name, _ in PARTS}


def test_domains_stay_whole_and_every_row_is_in_one_part():
    parts = split_by_domain(table(70), 3, PARTS)
    assert list(parts) == [name for name, _ in PARTS]
    seen = [set(part.domains()) for part in parts.values()]
    assert sum(len(domains) for domains in seen) == len(set().union(*seen)) == 7
    assert sum(len(part) for part in parts.values()) == 70


def test_equal_prompts_stay_together():
    held = table(50)
    twice = OutcomeTable(rows=held.rows + held.rows, source="test")
    texts = [part.texts() for part in split_by_prompt(twice, 0, PARTS).values()]
    assert sum(map(len, texts)) == 100
    assert all(part.count(text) == 2 for part in texts for text in part)


def test_a_row_without_a_domain_cannot_be_split_by_it():
    arms = {"a": ArmOutcome(quality=(1.0,))}
    bare = OutcomeTable(rows=(Outcome(id="x9", prompt="q", arms=arms),), source="t")
    with pytest.raises(DataError, match="'x9' has no domain"):
        split_by_domain(bare, 0, PARTS)


@pytest.mark.parametrize(
    "parts",
    [(), (("a", 0.5), ("a", 0.5)), (("a", 0.5), ("b", 0.4)), (("a", 1.5), ("b", -0.5))],
)
def test_parts_that_are_no_split_are_refused(parts):
    with pytest.raises(ConfigError, match="parts"):
        split_of("k", 0, parts)
