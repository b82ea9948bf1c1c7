"""The split of a pair's rows: no prompt in two parts, and every part of use."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_encoder import CLOUD, EDGE, outcomes

from hybridroute.edge_runtime.errors import ConfigError, DataError
from hybridroute.training.outcomes import OutcomeTable, joined
from hybridroute.training.pair_split import PairSplit, split_pair


def parts(held: PairSplit) -> dict[str, OutcomeTable]:
    names = ("fit", "select", "calibrate", "test", "seen")
    return {name: getattr(held, name) for name in names}


@pytest.mark.parametrize(("by", "domains"), [("prompt", 0), ("domain", 40)])
def test_no_prompt_stands_in_two_parts(by: str, domains: int) -> None:
    table = outcomes(400, domains=domains)
    held = split_pair(joined((table, table)), EDGE, CLOUD, by=by, seed=0)
    hashes = [key for part in parts(held).values() for key in part.prompt_hashes()]
    assert sorted(hashes) == sorted(table.prompt_hashes())
    assert held.facts["duplicates"] == 400
    assert held.facts["rows"]["fit"] == len(held.fit)


def test_whole_domains_are_kept_together() -> None:
    held = split_pair(outcomes(400, domains=40), EDGE, CLOUD, by="domain", seed=0)
    of_part = {name: set(part.domains()) for name, part in parts(held).items()}
    for one, other in (("fit", "select"), ("fit", "test"), ("select", "calibrate")):
        assert not of_part[one] & of_part[other]
    assert of_part["seen"] <= of_part["fit"]
    assert len(held.seen) > 0


def test_rows_for_fitting_only_never_reach_another_part() -> None:
    table, more = outcomes(200), outcomes(300, seed=1)
    plain = split_pair(table, EDGE, CLOUD, by="prompt", seed=0)
    held = split_pair(table, EDGE, CLOUD, by="prompt", seed=0, also_fit=joined((table, more)))
    for name in ("select", "calibrate", "test"):
        assert parts(held)[name].texts() == parts(plain)[name].texts()
    assert held.fit.texts() == plain.fit.texts() + more.texts()
    assert held.facts["rows"]["fit_from_other_tables"] == 300
    assert held.facts["left_out_of_other_tables"]["rows_in_the_main_table"] == 200


def test_rows_without_a_domain() -> None:
    with pytest.raises(DataError, match="row '0' has no domain; add it, or split by prompt"):
        split_pair(outcomes(40), EDGE, CLOUD, by="domain", seed=0)


@pytest.mark.parametrize(("n", "by"), [(6, "prompt"), (40, "domain")])
def test_parts_too_small_to_use(n: int, by: str) -> None:
    with pytest.raises(DataError, match=r"leaves too few rows .* at least 2 are needed"):
        split_pair(outcomes(n, domains=3), EDGE, CLOUD, by=by, seed=0)


def test_a_pair_that_is_not_there() -> None:
    with pytest.raises(DataError, match=r"its arms are \['large', 'small'\]"):
        split_pair(outcomes(40), EDGE, "huge", by="prompt", seed=0)


def test_rows_without_the_pair_are_counted() -> None:
    table = outcomes(200)
    lone = [replace(row, arms={EDGE: row.arms[EDGE]}) for row in table.rows[:5]]
    mixed = OutcomeTable(rows=(*lone, *table.rows[5:]), source="s")
    held = split_pair(mixed, EDGE, CLOUD, by="prompt", seed=0)
    assert held.facts["rows_without_the_pair"] == 5


def test_another_kind_of_split() -> None:
    with pytest.raises(ConfigError, match="split is by 'row'"):
        split_pair(outcomes(40), EDGE, CLOUD, by="row", seed=0)
