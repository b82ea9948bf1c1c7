"""The manifest's pool: what is checked when it is read, and a scorer that estimates every arm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pool_fakes import pool, pool_manifest, weight_table
from tiny_bundle import write_tiny_bundle
from tiny_pool import write_tiny_pool

from hybridroute.edge_runtime.errors import BundleError, ScoringError
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.edge_runtime.pool import PoolArm

MODELS = {"a": "m-a", "b": "m-b", "c": "m-c"}
WORDS = {"easy": (3.0, 1.0, 1.0), "hard": (0.0, 0.0, 3.0)}


def test_a_pool_survives_its_own_json() -> None:
    made = pool_manifest()
    assert Manifest.from_json(made.to_json()) == made


def test_expected_cost_grows_with_the_text() -> None:
    arm = PoolArm(name="a", model="m", quality=0.5, base_usd=0.25, usd_per_character=0.5)
    assert arm.cost_usd(3) == 1.75


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"arms": pool().arms[:1]}, "two or more different names"),
        ({"arms": pool().arms[:1] * 2}, "two or more different names"),
        ({"best_single": "other"}, "best_single is 'other'"),
        ({"advantage": weight_table(rising=True)}, "advantage.cost_weight must not decrease"),
    ],
)
def test_a_pool_that_cannot_be_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        pool(**changes)


def test_negative_costs_and_weights_are_refused() -> None:
    with pytest.raises(BundleError, match="the cost of 'a' is negative"):
        PoolArm(name="a", model="m", quality=0.5, base_usd=-1.0, usd_per_character=0.0)
    table = weight_table()
    with pytest.raises(BundleError, match="negative weight or cost"):
        replace(table, cost_weight=tuple(-one - 1.0 for one in table.cost_weight))
    with pytest.raises(BundleError, match="cost_usd has 1 entries"):
        replace(table, cost_usd=(0.0,))


def test_kinds_belong_to_pools_and_pairs() -> None:
    with pytest.raises(BundleError, match="score_kind is 'label'"):
        pool_manifest("label")
    with pytest.raises(BundleError, match="score_kind is 'quality'"):
        replace(pool_manifest(), pool=None)


def test_a_pools_scorer_estimates_and_a_pairs_scores(tmp_path: Path) -> None:
    scorer = write_tiny_pool(tmp_path / "pool", MODELS, WORDS).scorer(threads=1)
    texts = ["an easy one", "a hard one which is longer", "an easy one"]
    estimates, uncertainties = scorer.estimate(texts)
    assert estimates.shape == (3, 3)
    assert uncertainties is not None
    assert not uncertainties.any()
    np.testing.assert_array_equal(estimates[0], estimates[2])
    assert estimates[0].argmax() == 0
    assert estimates[1].argmax() == 2
    seen = scorer.assess(texts[1])
    assert seen.score is None
    assert seen.estimates == tuple(estimates[1].tolist())
    assert scorer.estimate([])[0].shape[0] == 0
    with pytest.raises(ScoringError, match="use estimate"):
        scorer.score(texts)
    pair = write_tiny_bundle(tmp_path / "pair").scorer(threads=1)
    with pytest.raises(ScoringError, match="use score"):
        pair.estimate(texts)
    seen = pair.assess("text")
    assert seen.estimates == (seen.score, 0.0)
