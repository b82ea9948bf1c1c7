"""Label distributions before and after t*."""

from __future__ import annotations

import numpy as np
from report_cases import fractional_table, rows_of, table_of

from hybridroute.training.report_page.label_shift import BINS, counts_of, label_shift


def test_every_label_is_counted_in_its_own_bin() -> None:
    labels = np.array([place / BINS for place in range(BINS + 1)], dtype=np.float32)
    counted = counts_of(labels)
    assert counted.tolist() == [1] * (BINS - 1) + [2]


def test_fractional_qualities_are_spread() -> None:
    held = label_shift(rows_of(fractional_table(100)), bundle_t=0.25)
    assert not held.same
    assert held.t_star > 0.0
    assert held.after.gini > held.before.gini
    assert held.before.counts != held.after.counts
    assert sum(held.before.counts) == sum(held.after.counts) == 100
    assert held.pairs == (25, 25)
    assert held.bundle_t == 0.25
    assert len(held.curve) <= 200
    assert max(held.curve, key=lambda point: point[1])[0] == held.t_star


def test_binary_qualities_say_that_trans_is_prob() -> None:
    held = label_shift(rows_of(table_of([[1.0], [0.0], [0.0]], [[1.0], [1.0], [0.0]])), None)
    assert held.same
    assert held.t_star == 0.0
    assert held.before == held.after
    assert "two values only" in (held.note or "")
