"""Choosing a map of scores: what is recovered, what is left alone, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from hybridroute.edge_runtime.errors import DataError
from hybridroute.edge_runtime.probability_map import ProbabilityMap
from hybridroute.training.probability_fit import choose_map, mapped_scores, reliability_of


def drawn(n: int, seed: int, truth: ProbabilityMap | None = None):
    """Scores, and labels that are 1 with the chance that ``truth`` makes of them."""
    draw = np.random.default_rng(seed)
    scores = draw.beta(0.7, 0.7, n).clip(0.001, 0.999)
    chance = scores if truth is None else mapped_scores(truth, scores)
    return scores, (draw.random(n) < chance).astype(float)


def test_a_true_score_is_left_alone() -> None:
    assert choose_map(*drawn(800, 0), "s").map is None


@pytest.mark.parametrize("temperature", [0.5, 2.5])
def test_a_temperature_is_recovered(temperature: float) -> None:
    truth = ProbabilityMap(kind="temperature", temperature=temperature, source="", n=0)
    found = choose_map(*drawn(4000, 1, truth), "s").map
    assert found is not None
    assert (found.kind, found.source, found.n) == ("temperature", "s", 4000)
    assert found.temperature == pytest.approx(temperature, rel=0.15)


def test_another_shape_takes_isotonic_and_is_measured_on_other_rows() -> None:
    truth = ProbabilityMap(kind="isotonic", scores=(0.1, 0.9), values=(0.55, 0.65), source="", n=0)
    chosen = choose_map(*drawn(4000, 2, truth), "s")
    assert chosen.map is not None
    assert chosen.map.kind == "isotonic"
    assert chosen.errors["isotonic"] < chosen.errors["temperature"] < chosen.errors["none"]
    held = reliability_of(chosen.map, *drawn(4000, 3, truth))
    assert held.ece_after < 0.04 < held.ece_before
    assert held.brier_after < held.brier_before


@pytest.mark.parametrize("level", [0.0, 1.0, 0.3])
def test_equal_labels_and_equal_scores_do_no_harm(level: float) -> None:
    labels = np.full(100, level)
    for scores in (np.linspace(0.0, 1.0, 100), np.full(100, 0.5), np.ones(100)):
        chosen = choose_map(scores, labels, "s")
        if chosen.map is not None:
            found = mapped_scores(chosen.map, np.linspace(0.0, 1.0, 50))
            assert np.all(np.diff(found) > 0)


def test_too_few_rows_and_bad_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="30 rows are too few"):
        choose_map(*drawn(30, 0), "s")
    scores, labels = drawn(100, 0)
    with pytest.raises(DataError, match="nan"):
        choose_map(scores, np.where(labels > 0, np.nan, labels), "s")
