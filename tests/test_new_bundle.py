"""training/new_bundle.py: a manifest's tables are of rows as the client routes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import write_tiny_bundle

from hybridroute.edge_runtime.bundle import Bundle
from hybridroute.edge_runtime.errors import TrainingError
from hybridroute.edge_runtime.grid import GRID
from hybridroute.edge_runtime.manifest import Manifest
from hybridroute.training.fit_config import FitConfig
from hybridroute.training.new_bundle import new_manifest
from hybridroute.training.outcomes import ArmOutcome, Outcome, OutcomeTable
from hybridroute.training.pair_split import PairSplit
from hybridroute.training.training_plan import TrainingPlan

EDGE, CLOUD = "small", "large"
WORDS = {"greet": 9.0, "prove": -9.0, "[UNK]": 9.0}
"""To this router nothing looks easier than what it cannot read."""


def table(readable: int, strange: int) -> OutcomeTable:
    """Half of what can be read is hard for the edge; what cannot, it never does."""
    texts = [f"{'prove' if at % 2 else 'greet'} {at}" for at in range(readable)]
    texts += [f"这是什么东西{at}" for at in range(strange)]
    edge = [float(text.startswith("greet")) for text in texts]
    rows = [
        Outcome(
            id=text,
            prompt=text,
            arms={EDGE: ArmOutcome(quality=(held,)), CLOUD: ArmOutcome(quality=(1.0,))},
        )
        for text, held in zip(texts, edge, strict=True)
    ]
    return OutcomeTable(rows=tuple(rows), source="made up")


def manifest_of(bundle: Bundle, rows: OutcomeTable, place: Path) -> Manifest:
    config = FitConfig()
    plan = TrainingPlan(
        outcomes=rows,
        edge=EDGE,
        cloud=CLOUD,
        config=config,
        out=place / "out",
        work=place / "work",
        name="made",
    )
    others = table(4, 0)
    split = PairSplit(fit=others, select=others, calibrate=rows, test=others, seen=others, facts={})
    return new_manifest(plan, split, config, bundle.scorer(threads=1), {}, name="made")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_tiny_bundle(tmp_path / "tiny", weights=WORDS)


def test_rows_out_of_scope_are_in_the_cloud_share_of_every_setting(
    bundle: Bundle, tmp_path: Path
) -> None:
    held = manifest_of(bundle, table(80, 20), tmp_path).calibration
    assert held is not None
    assert held.dial.cloud_share[0] == pytest.approx(0.2)
    assert held.dial.quality[0] == pytest.approx(0.6)
    assert held.dial.cloud_share[-1] == pytest.approx(0.6)
    assert held.dial.quality[-1] == held.best_quality == pytest.approx(1.0)
    assert held.source == "100 calibration rows, 20 of them out of scope"


def test_they_have_no_say_in_the_score_quantiles(bundle: Bundle, tmp_path: Path) -> None:
    made = manifest_of(bundle, table(80, 20), tmp_path).score_quantiles
    readable = manifest_of(bundle, table(80, 0), tmp_path).score_quantiles
    assert made is not None
    assert readable is not None
    assert (made.n, made.values) == (80, readable.values)
    scores = bundle.scorer().score(table(80, 0).texts())
    assert np.mean(scores >= made.values[GRID // 2]) == pytest.approx(0.5)


def test_promises_stand_on_the_same_rows(bundle: Bundle, tmp_path: Path) -> None:
    made = manifest_of(bundle, table(80, 20), tmp_path)
    assert made.promises is not None
    assert made.promises.n == 100
    assert made.promises.dial is not None
    assert made.promises.dial.drop[0] == pytest.approx(0.4)


def test_a_router_that_reads_no_row_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="none of the 20 calibration rows is one that this"):
        manifest_of(bundle, table(0, 20), tmp_path)
