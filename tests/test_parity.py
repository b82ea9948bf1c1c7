"""Parity: what is compared, and what is refused."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.training.metrics import evaluate_scores
from hybridroute.training.parity import FP32, INT8, Parity, parity_of, parity_texts

GOOD = Parity(n=1000, p50=0.0, p99=0.0, largest=0.0, apgr_moved=0.0, rows=1000)
RANDOM = np.random.default_rng(0)
SCORES = RANDOM.random(400)
EDGE_Q = (RANDOM.random(400) < SCORES).astype(float)


@pytest.mark.parametrize(
    ("limits", "field", "value", "said"),
    [
        (INT8, "p99", 0.021, "p99 0.021 > 0.02"),
        (INT8, "largest", 0.051, "max 0.051 > 0.05"),
        (INT8, "apgr_moved", 0.006, "APGR moved by 0.006 > 0.005"),
        (FP32, "p99", 2e-4, "p99 0.0002 > 0.0001"),
        (FP32, "largest", 2e-4, "max 0.0002 > 0.0001"),
    ],
)
def test_what_is_over_a_limit_is_refused(limits, field, value, said) -> None:
    with pytest.raises(TrainingError, match=f"does not agree with torch on 1000 texts: {said}"):
        replace(GOOD, **{field: value}).check(limits, "exported")
    GOOD.check(limits, "exported")


def test_few_rows_widen_the_limit_on_apgr_and_on_nothing_else() -> None:
    """Two of 100 rows that change places may move it by 0.0004, whatever the export is like."""
    few = replace(GOOD, rows=100, apgr_moved=0.0009)
    few.check(FP32, "exported")
    with pytest.raises(TrainingError, match="APGR moved by 0.0011 > 0.001"):
        replace(few, apgr_moved=0.0011).check(FP32, "exported")
    with pytest.raises(TrainingError, match="max 0.0002 > 0.0001"):
        replace(few, largest=2e-4).check(FP32, "exported")
    for rows in (1_000, 10_000):
        with pytest.raises(TrainingError, match=f"APGR moved by 0.0051 > 0.005 on {rows} rows"):
            replace(GOOD, rows=rows, apgr_moved=0.0051).check(INT8, "exported")


def compared(moved: np.ndarray, edge: np.ndarray, cloud: np.ndarray) -> Parity:
    return parity_of(
        SCORES, moved, row_reference=SCORES, row_exported=moved, edge_q=edge, cloud_q=cloud
    )


def test_differences_are_absolute() -> None:
    moved = SCORES.copy()
    moved[:10] -= 0.03
    found = compared(moved, EDGE_Q, np.ones(400))
    assert (found.n, found.p50) == (400, 0.0)
    assert found.p99 == pytest.approx(0.03)
    assert found.largest == pytest.approx(0.03)


def test_the_move_of_apgr_is_the_move_of_apgr() -> None:
    moved = np.clip(SCORES + RANDOM.normal(scale=0.1, size=400), 0, 1)
    cloud = np.ones(400)
    before, after = (evaluate_scores(held, EDGE_Q, cloud).apgr for held in (SCORES, moved))
    assert compared(moved, EDGE_Q, cloud).apgr_moved == pytest.approx(abs(after - before))
    assert abs(after - before) > 1e-3


def test_level_arms_do_not_blow_the_move_up() -> None:
    moved = np.clip(SCORES + RANDOM.normal(scale=0.001, size=400), 0, 1)
    cloud = EDGE_Q[::-1].copy()
    cloud[0] = 1.0 - cloud[0]
    assert abs(cloud.mean() - EDGE_Q.mean()) < 0.01
    assert compared(moved, EDGE_Q, cloud).apgr_moved < 0.005
    assert compared(moved, EDGE_Q, EDGE_Q).apgr_moved == 0.0


def test_texts_are_of_many_lengths_and_scripts() -> None:
    prompts = ["What is the answer to this question? " * 20] * 3
    texts = parity_texts(prompts, n=1000, seed=1)
    assert len(texts) == 1000
    assert texts == parity_texts(prompts, n=1000, seed=1)
    lengths = [len(text) for text in texts]
    assert min(lengths) == 1
    assert max(lengths) > 300
    names = {unicodedata.name(char, "?").split()[0] for text in texts for char in text}
    assert {"LATIN", "CYRILLIC", "CJK", "ARABIC", "HEBREW", "DEVANAGARI", "HIRAGANA"} <= names


def test_texts_without_prompts() -> None:
    assert len(parity_texts([], n=20, seed=0)) == 20
