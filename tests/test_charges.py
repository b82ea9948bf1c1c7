"""charges.py: the largest estimate less its charge, the cheapest of equals."""

from __future__ import annotations

import math

import pytest

from hybridroute.charges import Charges, best_arm


def test_a_threshold_is_a_charge_on_the_edge() -> None:
    held = Charges(fixed=(0.3, 0.0)).of(1000)
    assert best_arm((0.3, 0.0), held, (0, 1)) == 0
    assert best_arm((math.nextafter(0.3, 0.0), 0.0), held, (0, 1)) == 1


def test_costs_grow_with_the_text() -> None:
    held = Charges(fixed=(0.0, 0.1), per_character=(0.0, 0.01))
    assert held.of(10) == pytest.approx((0.0, 0.2))
    assert best_arm((0.5, 0.75), held.of(10), (0, 1)) == 1
    assert best_arm((0.5, 0.75), held.of(20), (0, 1)) == 0


def test_only_what_may_be_chosen_is() -> None:
    assert best_arm((0.1, 0.9, 0.5), (0.0, 0.0, 0.0), (0, 2)) == 2
    assert best_arm((0.5, 0.5, 0.5), (0.0, 0.0, 0.0), (1, 2)) == 1
