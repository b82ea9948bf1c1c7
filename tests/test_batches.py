"""Rows and batches."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_bundle import tiny_tokenizer

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.tokenizer import RouterTokenizer
from hybridroute.training.batches import FitRows, collate, epoch_order, fit_rows, scoring_batches

LENGTHS = [int(n) for n in np.random.default_rng(0).integers(1, 40, size=300)]


@pytest.fixture(scope="module")
def rows() -> FitRows:
    ids = tuple(tuple(range(1, n + 1)) for n in LENGTHS)
    targets = np.linspace(0, 1, 900, dtype=np.float32).reshape(300, 3)
    return FitRows(token_ids=ids, targets=targets)


def test_an_epoch_takes_every_row_once(rows: FitRows) -> None:
    order = epoch_order(rows, batch_size=8, seed=1, epoch=0)
    assert sorted(row for batch in order for row in batch) == list(range(300))
    assert len(order) == 38
    assert all(len(batch) <= 8 for batch in order)


def test_the_order_depends_on_seed_and_epoch_alone(rows: FitRows) -> None:
    held = epoch_order(rows, batch_size=8, seed=1, epoch=0)
    assert held == epoch_order(rows, batch_size=8, seed=1, epoch=0)
    assert held != epoch_order(rows, batch_size=8, seed=1, epoch=1)
    assert held != epoch_order(rows, batch_size=8, seed=2, epoch=0)


def test_batches_save_padding(rows: FitRows) -> None:
    def padded(batches) -> int:
        return sum(len(batch) * max(LENGTHS[row] for row in batch) for batch in batches)

    plain = np.random.default_rng(0).permutation(300).reshape(-1, 10).tolist()
    assert padded(epoch_order(rows, batch_size=10, seed=1, epoch=0)) < 0.8 * padded(plain)


def test_collate_pads_on_the_right(rows: FitRows) -> None:
    picked = [LENGTHS.index(3), LENGTHS.index(5)]
    batch = collate(rows, picked)
    assert batch.input_ids.tolist() == [[1, 2, 3, 0, 0], [1, 2, 3, 4, 5]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    np.testing.assert_array_equal(batch.targets.numpy(), rows.targets[picked])


def test_scoring_takes_every_row_once(rows: FitRows) -> None:
    order = [row for batch in scoring_batches(rows) for row in batch]
    assert sorted(order) == list(range(300))


@pytest.mark.parametrize("bad", [np.full((2, 3), 1.01), -np.ones((2, 3))])
def test_targets_lie_in_zero_to_one(bad: np.ndarray) -> None:
    with pytest.raises(TrainingError, match="targets must be in"):
        FitRows(token_ids=((1,), (2,)), targets=bad.astype(np.float32))


def test_every_row_has_targets_and_a_missing_one_is_none() -> None:
    with pytest.raises(TrainingError, match=r"shape \(3, 2\) for 2 rows"):
        FitRows(token_ids=((1,), (2,)), targets=np.zeros((3, 2), np.float32))
    held = np.array([[0.5, np.nan], [np.nan, 1.0]], np.float32)
    assert len(FitRows(token_ids=((1,), (2,)), targets=held)) == 2


def test_rows_are_read_as_the_device_reads_them() -> None:
    tokenizer = RouterTokenizer(tiny_tokenizer(), max_tokens=8)
    texts = ["short", "a text that is much too long"]
    held = fit_rows(texts, np.zeros((2, 3), np.float32), tokenizer)
    assert held.token_ids == tuple(tokenizer.encode(text).ids for text in texts)
