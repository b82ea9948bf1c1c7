"""training/pool/expected_cost.py: a line in the length, never negative."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.pool.expected_cost import ExpectedCost

LENGTHS = np.array([10, 20, 40, 80], dtype=np.int64)


def fitted(*columns: list[float]) -> ExpectedCost:
    return ExpectedCost.fit(LENGTHS, np.array(columns, dtype=np.float64).T)


def test_a_line_is_found_again_and_a_flat_price_too() -> None:
    held = fitted([0.1 + 0.02 * at for at in LENGTHS], [0.5] * 4)
    np.testing.assert_allclose(held.base_usd, [0.1, 0.5])
    np.testing.assert_allclose(held.usd_per_character, [0.02, 0.0], atol=1e-15)
    np.testing.assert_allclose(held.of(np.array([100])), [[2.1, 0.5]])


def test_no_length_makes_a_cost_negative() -> None:
    """Costs that fall with the length are taken as flat; a line below 0 goes through 0."""
    held = fitted([4.0, 3.0, 2.0, 1.0], [0.0, 1.0, 3.0, 7.0])
    assert held.usd_per_character[0] == 0.0
    assert held.base_usd[0] == pytest.approx(2.5)
    assert held.base_usd[1] == 0.0
    assert held.usd_per_character[1] > 0.0
    assert (held.of(np.array([0, 10_000])) >= 0.0).all()


def test_missing_and_zero_costs() -> None:
    held = fitted([np.nan, 0.2, 0.2, np.nan], [0.0] * 4)
    np.testing.assert_allclose(held.of(np.array([5])), [[0.2, 0.0]])
    with pytest.raises(DataError, match="states no cost"):
        fitted([np.nan] * 4)
