"""How large a number may be, and what is said of one that will not do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hybridroute.training.magnitude import LARGEST, fault_of


@pytest.mark.parametrize("value", [0, 0.5, -3, LARGEST, -LARGEST, True])
def test_what_can_be_computed_with(value: float) -> None:
    assert fault_of(value) == ""


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (math.nan, "is nan; give a finite number"),
        (-math.inf, "is -inf; give a finite number"),
        (1e200, "is 1e+200; give one of at most 1e+09 in size"),
        (-1.5e9, "is -1500000000.0; give one of at most 1e+09"),
        (10**400, "is 100000000000000000000000; give one of at most 1e+09"),
    ],
)
def test_what_cannot(value: float, said: str) -> None:
    assert fault_of(value).startswith(said)


def test_the_least_is_the_callers() -> None:
    assert fault_of(-1, low=0.0) == "is -1; it must be at least 0"
    assert fault_of(0.0, low=0.0) == ""


def test_the_bound_leaves_float32_and_float64_room() -> None:
    assert np.isfinite(np.float32(LARGEST) ** 2 * np.float32(1e9))
    assert np.float64(LARGEST) + 1e-6 > LARGEST
