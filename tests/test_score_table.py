"""training/pool/score_table.py: outcomes of many arms as matrices."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.pool.score_table import ScoreTable


def table() -> OutcomeTable:
    return OutcomeTable(
        rows=(
            Outcome(
                id="1",
                prompt="one",
                domain="a",
                arms={
                    "x": ArmOutcome(quality=(1.0, 0.0), cost_usd=(0.25, 0.75)),
                    "y": ArmOutcome(quality=(1.0,)),
                },
            ),
            Outcome(id="2", prompt="two", arms={"y": ArmOutcome(quality=(0.0,))}),
        ),
        source="test",
    )


def test_a_missing_cell_stays_missing() -> None:
    held = ScoreTable.of(table())
    assert held.arms == ("x", "y")
    np.testing.assert_array_equal(held.quality, [[0.5, 1.0], [np.nan, 0.0]])
    assert held.cost_usd is not None
    np.testing.assert_array_equal(held.cost_usd, [[0.5, np.nan], [np.nan, np.nan]])
    assert held.texts == ("one", "two")
    assert held.domains == ("a", None)


def test_columns_are_picked_and_rows_without_them_left_out() -> None:
    held = ScoreTable.of(table(), ("x",))
    assert len(held) == 1
    with pytest.raises(DataError, match="no arm 'z'"):
        ScoreTable.of(table(), ("z",))


def test_rows_are_selected_by_mask_and_by_index() -> None:
    held = ScoreTable.of(table())
    assert held.select(np.array([0])).texts == ("one",)
    with pytest.raises(DataError, match="arm 'x' has no outcome"):
        held.select(np.array([False, True]))
